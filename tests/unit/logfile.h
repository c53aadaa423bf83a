/*
 * The log of a layer that knows no plugins, as a file.
 */
#ifndef LOGFILE_H
#define LOGFILE_H

/* After log_open(): the lines go there too, as the mail log has them. */
void log_to_file(const char *path);

#endif
