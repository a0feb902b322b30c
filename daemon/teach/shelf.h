/* What is taught, looked at and tidied: `earshot teach list`, `show`, `forget`, `export`, `import`. */
#ifndef EARSHOT_SHELF_H
#define EARSHOT_SHELF_H

#include "daemon/cmd.h"
#include <jansson.h>

struct shelf_request {
    const struct cmd_context *cx;
    const char *dir;          /* the state directory */
    const char *const *words; /* behind the sub-command's name */
    size_t n;
    const char *output; /* --output; NULL: not given */
};

struct shelf_command {
    const char *name;
    int (*run)(const struct shelf_request *r); /* an exit code; errors printed */
    bool reads;                                /* changes nothing */
};

/* NULL: it is none of them. */
const struct shelf_command *shelf_find(const char *name);

/* One line on stdout; the reference is taken. */
void shelf_print(json_t *o);

#endif
