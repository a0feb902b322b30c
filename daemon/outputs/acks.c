#include "daemon/outputs/acks.h"

#include "event/event.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACKS_KEPT 16 /* a test is two messages, and few run at once */

struct acks {
    pthread_mutex_t lock;
    unsigned next;
    struct {
        char id[UUID_SIZE];
        int result;
        char text[160];
    } entry[ACKS_KEPT];
};

struct acks *acks_new(void)
{
    struct acks *a = calloc(1, sizeof *a);
    if (a)
        pthread_mutex_init(&a->lock, NULL);
    return a;
}

void acks_free(struct acks *a)
{
    if (!a)
        return;
    pthread_mutex_destroy(&a->lock);
    free(a);
}

void acks_put(struct acks *a, const char *id, int result, const char *text)
{
    pthread_mutex_lock(&a->lock);
    unsigned i = a->next++ % ACKS_KEPT;
    snprintf(a->entry[i].id, sizeof a->entry[i].id, "%s", id);
    snprintf(a->entry[i].text, sizeof a->entry[i].text, "%s", text);
    a->entry[i].result = result;
    pthread_mutex_unlock(&a->lock);
}

int acks_find(struct acks *a, const char *id, char *text, size_t size)
{
    int result = 0;

    pthread_mutex_lock(&a->lock);
    for (unsigned i = 0; i < ACKS_KEPT && !result; i++)
        if (a->entry[i].result && strcmp(a->entry[i].id, id) == 0) {
            snprintf(text, size, "%s", a->entry[i].text);
            result = a->entry[i].result;
        }
    pthread_mutex_unlock(&a->lock);
    return result;
}
