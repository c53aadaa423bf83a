/*
 * Segment files: bodies that are too large for a row, one behind the other.
 *
 * A segment is SPOOL/seg-N/<16 hex digits>, bare octets; the rows say what is
 * where. Shared segments are only appended to, by the writer: one writev and
 * one fdatasync for a whole group of messages. A body that is large by itself
 * has a segment to itself (body.c writes it). A segment is counted by the
 * octets that rows refer to, removed when nothing does, and emptied by the
 * compaction when it is old and hardly anything does. Octets that no row
 * refers to are garbage, whatever put them there.
 *
 * All of it runs on the writer, or before the threads start.
 */
#ifndef STORE_SEGMENT_H
#define STORE_SEGMENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

#define SEG_PATH_MAX 4096
#define SEG_OLD_AFTER MINUTES(10)

struct segs;

/* next: the first number that no segment has had, raised as files are found. */
int segs_open(struct segs **sp_r, const char *dir, uint64_t full,
    _Atomic uint64_t *next, struct err *why);
void segs_close(struct segs **sp);

/* The file is there and this long. */
bool segs_size(const struct segs *s, uint64_t seg, uint64_t *size_r);
/* A row refers to len octets of seg more (negative: fewer). */
void segs_account(struct segs *s, uint64_t seg, int64_t len);
/* Removes what nothing refers to, the open segment excepted; or moves it to
 * the directory keep, after the rows were lost. */
void segs_sweep(struct segs *s, const char *keep);

/* Appends and syncs; the octets are at *off_r of *seg_r. On failure nothing
 * is referred to and the room is given back as far as the disk allows. */
int segs_append(struct segs *s, struct iovec *iov, int n, uint64_t total,
    uint64_t *seg_r, uint64_t *off_r, struct err *why);
/* The rows for the last append were not written. unknown: perhaps they were,
 * so the octets stay where they are and another segment is begun. */
void segs_undo(struct segs *s, bool unknown);
/* An old segment of which less than a quarter is alive, or 0. */
uint64_t segs_thin(const struct segs *s, msec now);

/* "DIR/<hex>" into path of SEG_PATH_MAX octets. Any thread. */
void seg_path(char *path, const char *dir, uint64_t seg);
/* A new segment file, its directory entry synced. -1: why. Any thread. */
int seg_create(const char *dir, uint64_t seg, struct err *why);
/* Any thread. */
int seg_read(const char *dir, uint64_t seg, uint64_t off, char *dst, size_t n,
    struct err *why);
/* 452 4.3.1 when the disk is full, else 451 4.3.0. */
int seg_err(struct err *why, const char *what, const char *path);

#endif
