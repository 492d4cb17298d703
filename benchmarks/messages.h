/* The messages that wsload sends: payloads, compressed if asked for, in masked frames. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { VARIANTS = 64, VARIANTS_SIZE = 1 << 18 };

static int binary, json_text, compressed;
static size_t payload_size = 64;
/* The framed messages, one after the other. They differ, or a compressor would find the last one in its window. */
static uint8_t *messages, *first_payload;
static size_t messages_size, message_lengths[VARIANTS];
static int variants;

static void die(const char *what) {
    fprintf(stderr, "wsload: %s\n", what);
    exit(2);
}

/* A payload that text servers accept; -j makes it compress about as well as API traffic does. */
static uint8_t *make_payload(size_t size, unsigned variant) {
    uint8_t *payload = malloc(size + 128);
    unsigned seed = variant + 1;
    size_t used = 0;
    for (; !json_text && used < size; used++) payload[used] = 'a' + (used + variant) % 26;
    while (used < size)
        used += snprintf((char *)payload + used, 128, "{\"id\":%u,\"name\":\"%s\",\"value\":0.%u,\"ok\":%s},",
                         rand_r(&seed) % 1000000, rand_r(&seed) & 1 ? "alpha" : "beta", rand_r(&seed) % 1000000,
                         rand_r(&seed) & 1 ? "true" : "false");
    return payload;
}

/* Appends a framed message; returns its length. */
static size_t make_message(uint8_t *payload) {
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    uint64_t length = payload_size;
    if (compressed) { /* RFC 7692 7.2.1: raw deflate, sync flush, without the final 00 00 ff ff */
        z_stream z = {0};
        /* A window of 15 bits: client_max_window_bits is not offered, so no server may ask for less. */
        deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
        size_t bound = deflateBound(&z, length) + 64;
        uint8_t *squeezed = malloc(bound);
        z.next_in = payload, z.avail_in = length, z.next_out = squeezed, z.avail_out = bound;
        if (deflate(&z, Z_SYNC_FLUSH) != Z_OK) die("cannot compress");
        length = bound - z.avail_out - 4;
        payload = squeezed;
        deflateEnd(&z);
    }
    messages = realloc(messages, messages_size + length + 14);
    uint8_t *frame = messages + messages_size;
    size_t n = 0;
    frame[n++] = 0x80 | (compressed ? 0x40 : 0) | (binary ? 2 : 1);
    int extra = length < 126 ? 0 : length < 65536 ? 2 : 8;
    frame[n++] = 0x80 | (extra == 0 ? length : extra == 2 ? 126 : 127);
    for (int shift = 8 * (extra - 1); shift >= 0; shift -= 8) frame[n++] = length >> shift;
    memcpy(frame + n, mask, 4), n += 4;
    for (uint64_t i = 0; i < length; i++) frame[n + i] = payload[i] ^ mask[i & 3];
    return n + length;
}

static void make_messages(void) {
    first_payload = make_payload(payload_size, 0);
    do {
        message_lengths[variants] = make_message(make_payload(payload_size, variants));
        messages_size += message_lengths[variants++];
    } while (variants < VARIANTS && variants * payload_size < VARIANTS_SIZE);
}
