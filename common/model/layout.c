#include "model/layout.h"

#include <stdlib.h>
#include <string.h>

void layout_ordered(struct layout *l, size_t rank, const size_t *dims, const size_t *order)
{
    *l = (struct layout){.rank = rank};
    for (size_t i = 0; i < rank; i++) {
        l->dims[i] = dims[i];
        if (dims[i] == 1)
            continue;
        l->size[l->factors] = dims[i];
        for (size_t k = 0; order[k] != i; k++)
            l->place[l->factors] += dims[order[k]] != 1;
        l->factors++;
    }
}

void layout_plain(struct layout *l, size_t rank, const size_t *dims)
{
    static const size_t order[GRAPH_RANK] = {0, 1, 2, 3, 4, 5};

    layout_ordered(l, rank, dims, order);
}

void layout_channels_last(size_t rank, size_t *order)
{
    order[0] = 0;
    for (size_t i = 1; i + 1 < rank; i++)
        order[i] = i + 1;
    if (rank > 1)
        order[rank - 1] = 1;
}

size_t layout_count(const struct layout *l)
{
    size_t n = 1;

    for (size_t i = 0; i < l->rank; i++)
        n *= l->dims[i];
    return n;
}

size_t layout_axis(const struct layout *l, size_t axis, size_t *first)
{
    size_t f = 0, n = 0;

    for (size_t i = 0; i <= axis; i++) {
        *first = f;
        for (size_t left = l->dims[i]; left > 1; f++)
            left /= l->size[f];
        n = f - *first;
    }
    return n;
}

/* Replaces arbitrary ordered keys in place[] by their ranks. Keys of pieces of one factor are equal and stay in order. */
static void rank_places(struct layout *l)
{
    size_t key[LAYOUT_FACTORS];

    memcpy(key, l->place, sizeof key);
    for (size_t i = 0; i < l->factors; i++) {
        l->place[i] = 0;
        for (size_t k = 0; k < l->factors; k++)
            l->place[i] += key[k] < key[i] || (k < i && key[k] == key[i]);
    }
}

int layout_reshape(const struct layout *from, size_t rank, const size_t *dims, struct layout *to)
{
    struct layout merged = {0}, out = {.rank = rank};
    size_t k = 0, rest = 1;

    for (size_t i = 0; i < from->factors; i++)
        if (i > 0 && from->place[i] == from->place[i - 1] + 1) {
            merged.size[merged.factors - 1] *= from->size[i];
        } else {
            merged.size[merged.factors] = from->size[i];
            merged.place[merged.factors++] = from->place[i];
        }
    for (size_t i = 0; i < rank; i++) {
        size_t need = out.dims[i] = dims[i];

        while (need > 1) {
            size_t take;

            if (rest == 1) {
                if (k == merged.factors)
                    return -1;
                rest = merged.size[k++];
            }
            take = need % rest == 0 ? rest : rest % need == 0 ? need : 0;
            if (take == 0 || out.factors == LAYOUT_FACTORS)
                return -1;
            out.size[out.factors] = take;
            out.place[out.factors++] = merged.place[k - 1];
            need /= take;
            rest /= take;
        }
    }
    if (k != merged.factors || rest != 1)
        return -1;
    rank_places(&out);
    *to = out;
    return 0;
}

void layout_transpose(const struct layout *from, const size_t *perm, struct layout *to)
{
    struct layout out = {.rank = from->rank};

    for (size_t i = 0; i < from->rank; i++) {
        size_t first, n = layout_axis(from, perm[i], &first);

        out.dims[i] = from->dims[perm[i]];
        for (size_t k = 0; k < n; k++, out.factors++) {
            out.size[out.factors] = from->size[first + k];
            out.place[out.factors] = from->place[first + k];
        }
    }
    layout_reshape(&out, out.rank, out.dims, to); /* joins what now lies side by side; cannot fail */
}

bool layout_is_ordered(const struct layout *l, const size_t *order)
{
    size_t next = 0;

    for (size_t i = 0; i < l->rank; i++) {
        size_t first, n = layout_axis(l, order[i], &first);

        if (n > 1 || (n == 1 && l->place[first] != next))
            return false;
        next += n;
    }
    return true;
}

uint32_t *layout_map(const struct layout *l)
{
    size_t n = layout_count(l), stride[LAYOUT_FACTORS], at[LAYOUT_FACTORS] = {0}, memory = 0;
    uint32_t *map = malloc(n * sizeof *map);

    if (!map)
        return NULL;
    for (size_t i = 0; i < l->factors; i++) {
        stride[i] = 1;
        for (size_t k = 0; k < l->factors; k++)
            if (l->place[k] > l->place[i])
                stride[i] *= l->size[k];
    }
    for (size_t i = 0; i < n; i++) {
        map[i] = (uint32_t)memory;
        for (size_t f = l->factors; f-- > 0;) {
            memory += stride[f];
            if (++at[f] < l->size[f])
                break;
            memory -= stride[f] * l->size[f];
            at[f] = 0;
        }
    }
    return map;
}
