/*
 * Plugins that are part of the program, so that it works without any file
 * beside it: BUILTIN(name), the folder of plugins/. Those that configure
 * --with-builtin names come after them.
 */
BUILTIN(cert_file)
BUILTIN(log_json)
BUILTIN(log_mail)
BUILTIN(log_syslog)
BUILTIN(lua)
BUILTIN(tls_table)
MORE_BUILTINS
