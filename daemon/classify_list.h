/* The recordings that `earshot classify` was asked for: files as they are named, folders with what lies in them. */
#ifndef EARSHOT_CLASSIFY_LIST_H
#define EARSHOT_CLASSIFY_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct classify_list {
    char **path; /* [n], owned */
    size_t n, room;
    void (*complain)(void *ctx, const char *text); /* "PATH: what is wrong": the rest goes on */
    void *ctx;
    bool failed; /* complained */
};

/* Adds a file under the very name given. A folder: the recordings in it and in the folders below, each folder's entries in the
 * order of their bytes, whatever the file system's order and the locale; a recording is what classify_list_is_sound says. Hidden
 * entries are left out, links to folders not followed (but for the argument itself). A folder without a recording, or that cannot
 * be read, is complained of. -1: no memory. */
int classify_list_add(struct classify_list *list, const char *argument);

/* Keeps every n-th file from the i-th on (1 <= i <= n). Returns a fingerprint of the whole list as it was: the same for all shards
 * that were cut from the same files. */
uint64_t classify_list_shard(struct classify_list *list, unsigned long i, unsigned long n);

/* By its ending, in either case: wav, flac, ogg, opus, mp3, m4a ... */
bool classify_list_is_sound(const char *name);

void classify_list_free(struct classify_list *list);

#endif
