/* Bytes -> protobuf message, guarded. Wire format: protobuf.dev/programming-guides/encoding */
#include "model/onnx.h"

#include <stdlib.h>

/* Model > graph > node > attribute > tensor > segment is 5; input > type > tensor > shape > dimension under a graph is 6. The
 * rest lets a sub-graph through, so that the node which holds it can be named. */
#define NESTING_MAX 14
#define FIELDS_MAX  ((size_t)4 << 20)

struct scan {
    const uint8_t *base;
    size_t fields;
    struct err *err;
};

static int scan_err(const struct scan *s, const uint8_t *at, const char *what)
{
    return err_set(s->err, "not an ONNX model, or a damaged one: %s at byte %zu", what, (size_t)(at - s->base));
}

static const uint8_t *varint(const uint8_t *p, const uint8_t *end, uint64_t *out)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64 && p < end; shift += 7, p++) {
        v |= (uint64_t)(*p & 0x7f) << shift;
        if (!(*p & 0x80)) {
            *out = v;
            return p + 1;
        }
    }
    return NULL;
}

static int scan_message(struct scan *s, const uint8_t *p, const uint8_t *end, const ProtobufCMessageDescriptor *type,
                        unsigned depth)
{
    if (depth > NESTING_MAX)
        return scan_err(s, p, "messages nested too deeply");
    while (p < end) {
        const uint8_t *start = p;
        uint64_t tag, length = 0;
        const ProtobufCFieldDescriptor *field;

        if (++s->fields > FIELDS_MAX)
            return scan_err(s, p, "too many fields");
        if (!(p = varint(p, end, &tag)) || tag > UINT32_MAX || tag >> 3 == 0)
            return scan_err(s, start, "a bad field tag");
        switch (tag & 7) {
        case 0:
            if (!(p = varint(p, end, &length)))
                return scan_err(s, start, "an unfinished number");
            continue;
        case 1:
            length = 8;
            break;
        case 2:
            if (!(p = varint(p, end, &length)))
                return scan_err(s, start, "an unfinished length");
            break;
        case 5:
            length = 4;
            break;
        default:
            return scan_err(s, start, "an unknown wire type");
        }
        if (length > (uint64_t)(end - p))
            return scan_err(s, start, "a field longer than what holds it");
        field = protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3));
        if (field && field->type == PROTOBUF_C_TYPE_MESSAGE && (tag & 7) == 2 &&
            scan_message(s, p, p + length, field->descriptor, depth + 1) != 0)
            return -1;
        p += length;
    }
    return 0;
}

/* A field of two bytes can ask for a structure of two hundred: the parser gets a purse. It only ever fills it: what it frees on
 * the way is small. */
struct purse {
    size_t left;
};

static void *purse_alloc(void *data, size_t size)
{
    struct purse *purse = data;

    if (size > purse->left)
        return NULL;
    purse->left -= size;
    return malloc(size);
}

static void purse_free(void *data, void *p)
{
    (void)data;
    free(p);
}

Onnx__ModelProto *onnx_unpack(const uint8_t *bytes, size_t size, struct err *err)
{
    struct scan scan = {.base = bytes, .err = err};
    struct purse purse = {.left = ((size_t)64 << 20) + 2 * size};
    ProtobufCAllocator allocator = {purse_alloc, purse_free, &purse};
    Onnx__ModelProto *m;

    if (size == 0) {
        err_set(err, "the file is empty");
        return NULL;
    }
    if (scan_message(&scan, bytes, bytes + size, &onnx__model_proto__descriptor, 0) != 0)
        return NULL;
    m = onnx__model_proto__unpack(&allocator, size, bytes);
    if (!m)
        err_set(err, "not an ONNX model, or a damaged one: the protobuf parser refused it");
    return m;
}

void onnx_release(Onnx__ModelProto *message)
{
    ProtobufCAllocator allocator = {purse_alloc, purse_free, NULL};

    if (message)
        onnx__model_proto__free_unpacked(message, &allocator);
}
