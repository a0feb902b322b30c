/* The one name of a file that can be written in several ways. */
#ifndef EARSHOT_EVALUATE_REALNAME_H
#define EARSHOT_EVALUATE_REALNAME_H

/* The last folder that was looked up: most files lie in that of the file before. All NULL at first. */
struct realname {
    char *folder, *real;
};
void realname_free(struct realname *r);

/* The path with its folder as realpath has it, which knows ".", ".." and links; a folder that is not there stays as it is written. The
 * last part stays as it is. The caller's to free; NULL: no memory. */
char *realname_of(struct realname *r, const char *path);

#endif
