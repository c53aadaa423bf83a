dnl POSTERN_BUILTIN
dnl Plugins that become part of the program, beside those of
dnl core/tbl/builtins.h: the objects of their modules are linked into it, with
dnl what those need. One that brings OpenSSL along cannot: it must not meet
dnl BoringSSL in one link.
AC_DEFUN([POSTERN_BUILTIN], [
AC_ARG_WITH([builtin], [AS_HELP_STRING([--with-builtin="NAME..."],
	[folders of plugins/ that become part of the program, beside those that
	always are])],
	[], [with_builtin=no])
AS_CASE([$with_builtin], [no], [with_builtin=], [yes],
	[AC_MSG_ERROR([--with-builtin: which plugins?])])
BUILTIN_OBJECTS= BUILTIN_LIBS= postern_builtins=
for postern_name in $with_builtin; do
	AS_CASE([$postern_name], [alert_mail|store_pgsql], [AC_MSG_ERROR(
		[--with-builtin: $postern_name needs OpenSSL: it stays a file])])
	AS_IF([test ! -f "$srcdir/plugins/$postern_name/Makefile.inc"],
		[AC_MSG_ERROR([--with-builtin: there is no plugins/$postern_name])])
	postern_line="BUILTIN($postern_name)"
	AS_CASE(["$postern_builtins "], [*" $postern_line "*], [continue])
	AS_IF([grep -q "^$postern_line" "$srcdir/core/tbl/builtins.h"],
		[continue])
	postern_builtins="$postern_builtins $postern_line"
	postern_la=plugins_${postern_name}_${postern_name}_la
	BUILTIN_OBJECTS="$BUILTIN_OBJECTS \$(${postern_la}_OBJECTS)"
	BUILTIN_LIBS="$BUILTIN_LIBS \$(${postern_la}_LIBADD)"
done
AC_DEFINE_UNQUOTED([MORE_BUILTINS], [$postern_builtins],
	[BUILTIN(name) for each plugin of --with-builtin.])
AC_SUBST([BUILTIN_OBJECTS])
AC_SUBST([BUILTIN_LIBS])
])
