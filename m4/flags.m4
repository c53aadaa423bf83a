dnl POSTERN_OPTIONS
AC_DEFUN([POSTERN_OPTIONS], [
AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror],
	[a warning of the compiler is an error])],
	[], [enable_werror=no])
AC_ARG_ENABLE([sanitizers], [AS_HELP_STRING([--enable-sanitizers],
	[build with AddressSanitizer and UndefinedBehaviorSanitizer])],
	[], [enable_sanitizers=no])
AC_ARG_ENABLE([fuzzing], [AS_HELP_STRING([--enable-fuzzing],
	[build tests/fuzz as libFuzzer programs (clang), with sanitizers])],
	[], [enable_fuzzing=no])
AM_CONDITIONAL([FUZZING], [test "x$enable_fuzzing" = xyes])
])

dnl POSTERN_TRY_CC(VAR, FLAG...), POSTERN_TRY_LD(VAR, FLAG...)
dnl Adds to VAR each flag that the compiler takes without a word. Of -Wno-x the
dnl compilers take any x in silence, so -Wx is tried.
AC_DEFUN([POSTERN_TRY_CC], [POSTERN_TRY([$1], [$2], [CFLAGS],
	[AC_COMPILE_IFELSE])])
AC_DEFUN([POSTERN_TRY_LD], [POSTERN_TRY([$1], [$2], [LDFLAGS],
	[AC_LINK_IFELSE])])

AC_DEFUN([POSTERN_TRY], [
postern_saved=$$3
postern_saved_werror=$ac_c_werror_flag
ac_c_werror_flag=yes
for flag in $2; do
	AC_MSG_CHECKING([whether $CC takes $flag])
	$3="$postern_saved `echo "x$flag" | sed 's/^x-Wno-/-W/; s/^x//'`"
	$4([AC_LANG_PROGRAM([[#include <stdio.h>]],
		[[return printf("%d\n", 1) < 0;]])],
		[AC_MSG_RESULT([yes])
		AS_VAR_APPEND([$1], [" $flag"])],
		[AC_MSG_RESULT([no])])
done
$3=$postern_saved
ac_c_werror_flag=$postern_saved_werror
])

dnl POSTERN_FLAGS
dnl WARN_CFLAGS, HARD_CFLAGS and HARD_LDFLAGS; the sanitizers go into both.
AC_DEFUN([POSTERN_FLAGS], [
WARN_CFLAGS= HARD_CFLAGS= HARD_LDFLAGS= FUZZ_LDFLAGS=
POSTERN_TRY_CC([WARN_CFLAGS], [-Wall -Wextra -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wmissing-declarations -Wold-style-definition \
	-Wredundant-decls -Wpointer-arith -Wwrite-strings -Wundef -Wvla \
	-Wdeclaration-after-statement -Wformat=2 -Wimplicit-fallthrough \
	-Wlogical-op -Wduplicated-cond -Wno-unused-parameter])
AS_IF([test "x$enable_werror" = xyes], [WARN_CFLAGS="$WARN_CFLAGS -Werror"])
dnl All objects are made fit for a shared one, and nobody takes our functions'
dnl places: they may be inlined.
POSTERN_TRY_CC([HARD_CFLAGS], [-fno-semantic-interposition])
POSTERN_TRY_CC([HARD_CFLAGS], [-fno-common -fstack-protector-strong \
	-fstack-clash-protection -fcf-protection -fPIE])
POSTERN_TRY_LD([HARD_LDFLAGS], [-pie -Wl,-z,relro -Wl,-z,now \
	-Wl,-z,noexecstack])
dnl The sanitizer's own crypt_r() would do for the linker, and would then call
dnl that of a library which is not there.
AS_IF([test "x$enable_sanitizers$enable_fuzzing" = xnono],
	[POSTERN_TRY_LD([HARD_LDFLAGS], [-Wl,--as-needed])])

postern_sanitize=
AS_IF([test "x$enable_sanitizers" = xyes],
	[postern_sanitize="-fsanitize=address,undefined"])
AS_IF([test "x$enable_fuzzing" = xyes], [
	FUZZ_LDFLAGS=-fsanitize=fuzzer
	postern_sanitize="-fsanitize=fuzzer-no-link,address,undefined"])
AS_IF([test -n "$postern_sanitize"], [
	postern_sanitize="$postern_sanitize -fno-sanitize-recover=all"
	postern_sanitize="$postern_sanitize -fno-omit-frame-pointer"
	postern_saved=$CFLAGS
	CFLAGS="$CFLAGS $postern_sanitize $FUZZ_LDFLAGS"
	AS_IF([test -n "$FUZZ_LDFLAGS"], [postern_prog='
		int LLVMFuzzerTestOneInput(const char *d, unsigned long n);
		int LLVMFuzzerTestOneInput(const char *d, unsigned long n)
		{ return 0; }'], [postern_prog='int main(void) { return 0; }'])
	AC_LINK_IFELSE([AC_LANG_SOURCE([$postern_prog])], [],
		[AC_MSG_ERROR([$CC does not link $postern_sanitize. On Debian:
	apt-get install clang libclang-rt-dev])])
	CFLAGS=$postern_saved
	HARD_CFLAGS="$HARD_CFLAGS $postern_sanitize"
	HARD_LDFLAGS="$HARD_LDFLAGS $postern_sanitize"],
	[POSTERN_TRY_FORTIFY])
AC_SUBST([WARN_CFLAGS])
AC_SUBST([HARD_CFLAGS])
AC_SUBST([HARD_LDFLAGS])
AC_SUBST([FUZZ_LDFLAGS])
AM_CONDITIONAL([SANITIZED], [test -n "$postern_sanitize"])
])

dnl Two words that only go together, and the sanitizers do not bear them. It
dnl needs -O, which the C library's headers complain about.
AC_DEFUN([POSTERN_TRY_FORTIFY], [
AC_CACHE_CHECK([for the level of _FORTIFY_SOURCE], [postern_cv_fortify], [
	postern_cv_fortify=none
	postern_saved=$CFLAGS
	postern_saved_werror=$ac_c_werror_flag
	ac_c_werror_flag=yes
	for level in 2 3; do
		CFLAGS="$postern_saved -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$level"
		AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <stdio.h>]],
			[[return printf("%d\n", 1) < 0;]])],
			[postern_cv_fortify=$level])
	done
	CFLAGS=$postern_saved
	ac_c_werror_flag=$postern_saved_werror
])
AS_IF([test "$postern_cv_fortify" != none],
	[AS_VAR_APPEND([HARD_CFLAGS],
	[" -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$postern_cv_fortify"])])
])
