dnl POSTERN_KEEP_CORE
dnl The sources are in a folder named core, and after each check configure
dnl removes a file of that name, which it takes for a memory dump. On a folder
dnl that rm fails: it prints a complaint, and the cleaning at the end, chained
dnl to it with &&, is left out. So configure calls this rm, which does not see
dnl the word.
AC_DEFUN([POSTERN_KEEP_CORE], [
rm ()
{
	for postern_arg
	do
		shift
		test "x$postern_arg" = xcore || set -- "$[]@" "$postern_arg"
	done
	command rm "$[]@"
}
])

dnl POSTERN_NEED(VAR, MODULE, DEBIAN-PACKAGE)
dnl What is missing is collected, so that it can be installed in one go.
AC_DEFUN([POSTERN_NEED], [
PKG_CHECK_MODULES([$1], [$2],
	[$1_version=`$PKG_CONFIG --modversion "m4_bpatsubst([$2], [ .*])"`],
	[POSTERN_LACKS([$3])])
])

AC_DEFUN([POSTERN_LACKS], [postern_missing="$postern_missing $1"])

dnl POSTERN_NEED_HEADER(HEADER, DEBIAN-PACKAGE)
AC_DEFUN([POSTERN_NEED_HEADER], [
AC_CHECK_HEADER([$1], [], [POSTERN_LACKS([$2])],
	[#include <sys/types.h>
#include <stdbool.h>
struct event_base;])
])

dnl POSTERN_NEED_LIB(VAR, LIBRARY, FUNCTION, DEBIAN-PACKAGE)
AC_DEFUN([POSTERN_NEED_LIB], [
AC_CHECK_LIB([$2], [$3], [AC_SUBST([$1][_LIBS], [-l$2])],
	[POSTERN_LACKS([$4])])
])

AC_DEFUN([POSTERN_MISSING], [
AS_IF([test -n "$postern_missing"], [
	postern_missing=`printf '%s\n' $postern_missing | sort -u | tr '\n' ' '`
	AC_MSG_ERROR([libraries are missing. On Debian:
	apt-get install $postern_missing])])
])
