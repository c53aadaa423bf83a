/* The serial number in the head of a mail log. */
#ifndef LOG_MAIL_SERIAL_H
#define LOG_MAIL_SERIAL_H

#define SERIAL_ROOM 24

/* Names this machine without giving away its id. */
void log_mail_serial(char *dst);

#endif
