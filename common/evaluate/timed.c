#include "evaluate/timed.h"

#include <stdlib.h>

int timed_add(struct timed_list *list, const struct timed *item)
{
    if (list->n == list->room) {
        size_t room = list->room ? 2 * list->room : 64;
        struct timed *more = realloc(list->item, room * sizeof *more);
        if (!more)
            return -1;
        list->item = more;
        list->room = room;
    }
    list->item[list->n++] = *item;
    return 0;
}

void timed_free(struct timed_list *list)
{
    free(list->item);
    *list = (struct timed_list){0};
}

static int by_onset(const void *a, const void *b)
{
    const struct timed *x = a, *y = b;

    if (x->onset != y->onset)
        return x->onset < y->onset ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int by_label(const void *a, const void *b)
{
    const struct timed *x = a, *y = b;

    return x->label != y->label ? (x->label < y->label ? -1 : 1) : by_onset(a, b);
}

void timed_sort(struct timed_list *list)
{
    if (list->n > 1)
        qsort(list->item, list->n, sizeof *list->item, by_label);
}

void timed_sort_onset(struct timed *item, size_t n)
{
    if (n > 1)
        qsort(item, n, sizeof *item, by_onset);
}

/* First item of this label or a higher one. */
static size_t first_of(const struct timed_list *list, unsigned label)
{
    size_t from = 0, to = list->n;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (list->item[middle].label < label)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

const struct timed *timed_of(const struct timed_list *list, unsigned label, size_t *n)
{
    size_t from = first_of(list, label);

    *n = first_of(list, label + 1) - from;
    return *n ? list->item + from : NULL;
}
