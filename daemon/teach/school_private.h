/* A school's inside, for school.c and for school_tell.c, which says what came of it. */
#ifndef EARSHOT_SCHOOL_PRIVATE_H
#define EARSHOT_SCHOOL_PRIVATE_H

#include "daemon/teach/school.h"

/* lesson_notes.known of an example of which nothing was noted: it was there before. */
#define NOT_NOTED SIZE_MAX

struct school {
    char dir[PATH_MAX - 64], path[PATH_MAX], clips[PATH_MAX];
    bool begun, keep; /* begun: file and class are as they should be */
    size_t unkept;    /* examples whose sound could not be kept, ... */
    char why[300];    /* ... and why, of the last */
    int lock;         /* on what is taught; -1: not held */
    struct teacher teacher;
    struct lesson *lesson;
    struct taughtfile file;
    struct verdicts verdicts;
    struct taught_class class;  /* until school_finish, which puts it into the file */
    struct lesson_notes *notes; /* [class.n_examples]; `known` is NOT_NOTED for those of before */
    size_t added;
    char label[LABEL_SIZE]; /* after school_finish */
};

#endif
