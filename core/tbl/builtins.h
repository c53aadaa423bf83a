/*
 * Plugins that are part of the program, so that it works without any file
 * beside it: BUILTIN(name), the folder of plugins/.
 */
BUILTIN(tls_table)
