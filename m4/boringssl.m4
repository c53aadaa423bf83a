dnl POSTERN_BORINGSSL
dnl Sets BORINGSSL_CFLAGS and BORINGSSL_LIBS; for the summary boringssl_api,
dnl boringssl_kind (static or shared) and boringssl_from.
dnl
dnl Static is preferred: hidden in the program, our SSL_ names cannot answer
dnl for the OpenSSL that a plugin brings along. A shared BoringSSL exports 2,350
dnl names without versions, and glibc binds OpenSSL 3's references to them.
AC_DEFUN([POSTERN_BORINGSSL], [
AC_ARG_WITH([boringssl], [AS_HELP_STRING([--with-boringssl=PREFIX|debian],
	[an installed BoringSSL, or Debian's copy, which is for development
	only [what deps/boringssl/build has built, else Debian's]])],
	[], [with_boringssl=auto])
AS_IF([test "x$with_boringssl" = xauto], [
	with_boringssl=`sh "$srcdir/deps/boringssl/build" --where`
	test -d "$with_boringssl" || with_boringssl=debian])
AS_CASE([$with_boringssl],
	[debian], [POSTERN_BORINGSSL_DEBIAN],
	[/*], [POSTERN_BORINGSSL_PREFIX],
	[AC_MSG_ERROR([--with-boringssl takes an absolute path, or debian])])
POSTERN_BORINGSSL_HEADERS
POSTERN_BORINGSSL_LINK
AC_DEFINE_UNQUOTED([POSTERN_BORINGSSL_API], [$boringssl_api],
	[BORINGSSL_API_VERSION that configure saw])
AC_DEFINE_UNQUOTED([POSTERN_BORINGSSL_KIND], ["$boringssl_kind"],
	[how BoringSSL is linked])
AC_SUBST([BORINGSSL_CFLAGS])
AC_SUBST([BORINGSSL_LIBS])
AC_SUBST([with_boringssl])
])

AC_DEFUN([POSTERN_BORINGSSL_DEBIAN], [
boringssl_from="Debian's android-libboringssl-dev"
boringssl_kind=shared
boringssl_lib=
for dir in /usr/lib/*/android; do
	AS_IF([test -e "$dir/libssl.so"], [boringssl_lib=$dir])
done
AS_IF([test -z "$boringssl_lib"], [AC_MSG_ERROR([BoringSSL is missing. Run
	deps/boringssl/build (needs cargo, cmake, g++),
or, for development only, on Debian:
	apt-get install android-libboringssl-dev])])
BORINGSSL_CFLAGS="-isystem /usr/include/android"
BORINGSSL_LIBS="-L$boringssl_lib -Wl,-rpath,$boringssl_lib -lssl -lcrypto"
AC_DEFINE([POSTERN_BORINGSSL_DEVELOPMENT], [1],
	[BoringSSL is Debian's copy of 2022, for development only])
])

AC_DEFUN([POSTERN_BORINGSSL_PREFIX], [
boringssl_from=$with_boringssl
BORINGSSL_CFLAGS="-isystem $with_boringssl/include"
boringssl_kind=none
for dir in "$with_boringssl/lib" "$with_boringssl/lib64"; do
	AS_IF([test -f "$dir/libssl.a" && test -f "$dir/libcrypto.a"], [
		boringssl_kind=static
		BORINGSSL_LIBS="$dir/libssl.a $dir/libcrypto.a"
		BORINGSSL_LIBS="$BORINGSSL_LIBS -lstdc++ -lpthread"],
	[test -f "$dir/libssl.so" && test "$boringssl_kind" = none], [
		boringssl_kind=shared
		BORINGSSL_LIBS="-L$dir -Wl,-rpath,$dir -lssl -lcrypto"])
done
AS_IF([test "$boringssl_kind" = none],
	[AC_MSG_ERROR([no libssl and libcrypto in $with_boringssl/lib])])
])

AC_DEFUN([POSTERN_BORINGSSL_HEADERS], [
postern_saved_cpp=$CPPFLAGS
CPPFLAGS="$CPPFLAGS $BORINGSSL_CFLAGS"
AC_MSG_CHECKING([for BoringSSL's API number])
AC_COMPUTE_INT([boringssl_api], [POSTERN_API], [
#include <openssl/base.h>
#ifdef OPENSSL_IS_BORINGSSL
#define POSTERN_API BORINGSSL_API_VERSION
#else
#define POSTERN_API 0
#endif
], [boringssl_api=none])
AC_MSG_RESULT([$boringssl_api])
AS_CASE([$boringssl_api],
	[none], [AC_MSG_ERROR([no openssl/base.h at $boringssl_from])],
	[0], [AC_MSG_ERROR([$boringssl_from is not BoringSSL])])
AS_IF([test "$boringssl_api" -lt 17],
	[AC_MSG_ERROR([BoringSSL is too old: API 17 is the least])])
dnl BoringSSL promises no stable API: what came or went since API 17.
AC_CHECK_DECLS([SSL_set_enforce_rsa_key_usage, SSL_get_group_id,
	SSL_get_group_name, SSL_CTX_set1_group_ids, SSL_CREDENTIAL_new_x509,
	SSL_CTX_set1_tls13_ciphers,
	SSL_CIPHER_get_rfc_name, X509_VERIFY_PARAM_get0_peername], [], [],
	[#include <openssl/ssl.h>
#include <openssl/x509.h>])
CPPFLAGS=$postern_saved_cpp
])

AC_DEFUN([POSTERN_BORINGSSL_LINK], [
postern_saved_cpp=$CPPFLAGS
postern_saved_libs=$LIBS
CPPFLAGS="$CPPFLAGS $BORINGSSL_CFLAGS"
LIBS="$BORINGSSL_LIBS $LIBS"
AC_MSG_CHECKING([whether BoringSSL links])
AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <openssl/ssl.h>]],
	[[return SSL_CTX_new(TLS_with_buffers_method()) == NULL;]])],
	[AC_MSG_RESULT([yes])],
	[AC_MSG_RESULT([no])
	AC_MSG_ERROR([BoringSSL of $boringssl_from does not link; a static one
needs libstdc++ (on Debian: apt-get install g++)])])
CPPFLAGS=$postern_saved_cpp
LIBS=$postern_saved_libs
])

AC_DEFUN([POSTERN_WARN_DEBIAN], [
AS_IF([test "$with_boringssl" = debian], [AC_MSG_WARN([
  This BoringSSL is Debian's copy of 2022, which nobody maintains. It is for
  development only: build deps/boringssl for a server that sees the Internet.])])
])
