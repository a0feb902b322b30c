#include "teach/taughtfile.h"

#include <stdlib.h>
#include <string.h>

void taught_example_free(struct taught_example *e)
{
    free(e->windows);
    *e = (struct taught_example){0};
}

void taught_class_free(struct taught_class *c)
{
    for (size_t i = 0; c->examples && i < c->n_examples; i++)
        taught_example_free(&c->examples[i]);
    free(c->examples);
    free(c->w);
    *c = (struct taught_class){0};
}

void taughtfile_free(struct taughtfile *f)
{
    for (size_t i = 0; i < f->n_classes; i++)
        taught_class_free(&f->classes[i]);
    for (size_t i = 0; i < f->n_corrections; i++)
        free(f->corrections[i].direction);
    free(f->standard.mean);
    free(f->standard.deviation);
    free(f->classes);
    free(f->corrections);
    *f = (struct taughtfile){0};
}

struct taught_class *taughtfile_find(const struct taughtfile *f, const char *label)
{
    for (size_t i = 0; i < f->n_classes; i++)
        if (strcmp(f->classes[i].label, label) == 0)
            return &f->classes[i];
    return NULL;
}

int taughtfile_put(struct taughtfile *f, struct taught_class *c, struct err *err)
{
    struct taught_class *at = taughtfile_find(f, c->label);

    if (!at && f->n_classes == TAUGHT_CLASSES)
        return err_set(err,
                       "%d sounds are taught already, which is as many as there can be: earshot teach forget LABEL",
                       TAUGHT_CLASSES);
    if (!at) {
        struct taught_class *more = realloc(f->classes, (f->n_classes + 1) * sizeof *more);
        if (!more)
            return err_set(err, "no memory");
        f->classes = more;
        at = &f->classes[f->n_classes++];
    } else {
        taught_class_free(at);
    }
    *at = *c;
    *c = (struct taught_class){0};
    return 0;
}

void taughtfile_remove(struct taughtfile *f, const struct taught_class *c)
{
    size_t i = (size_t)(c - f->classes);

    taught_class_free(&f->classes[i]);
    f->n_classes--;
    memmove(&f->classes[i], &f->classes[i + 1], (f->n_classes - i) * sizeof *f->classes);
}
