/* limit: a WebSocket echo server that does only what the wire asks for, one thread on epoll: as fast as one core of this
 * machine and its kernel can be. No TLS, no compression, no checks, no timeouts; it is no server for any other use.
 *
 *   limit PORT
 *
 * What one read brings is turned into the reply in place, and goes back in one write. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_SIZE = 1 << 18, MAX_EVENTS = 1024, REQUEST_SIZE = 4096 };

typedef struct {
    int fd, open, closing;
    char request[REQUEST_SIZE + 1];
    size_t request_length;
    uint8_t header[14];               /* the frame header being read */
    int header_have, header_need;
    uint8_t mask[4];
    uint64_t payload_left, payload_done;
    uint8_t *waiting;                 /* what could not be written at once; while there is some, nothing is read */
    size_t waiting_from, waiting_to;
} connection;

static int poller;

static void die(const char *what) {
    perror(what);
    exit(2);
}

static void watch(connection *c, uint32_t events, int how) {
    struct epoll_event event = {.events = events, .data.ptr = c};
    epoll_ctl(poller, how, c->fd, &event);
}

static void drop(connection *c) {
    close(c->fd);
    free(c->waiting);
    free(c);
}

/* Returns 0 when the connection is gone. */
static int write_out(connection *c, const void *data, size_t size) {
    ssize_t n = send(c->fd, data, size, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) return 0;
    if (n < 0) n = 0;
    if ((size_t)n == size) return !c->closing;
    c->waiting = malloc(size - n);
    memcpy(c->waiting, (const char *)data + n, size - n);
    c->waiting_from = 0, c->waiting_to = size - n;
    watch(c, EPOLLOUT, EPOLL_CTL_MOD);
    return 1;
}

static int write_waiting(connection *c) {
    ssize_t n = send(c->fd, c->waiting + c->waiting_from, c->waiting_to - c->waiting_from, MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN;
    c->waiting_from += n;
    if (c->waiting_from < c->waiting_to) return 1;
    free(c->waiting);
    c->waiting = NULL;
    watch(c, EPOLLIN, EPOLL_CTL_MOD);
    return !c->closing;
}

/* Answers the request once it is complete (RFC 6455 4.2.2); 0 when it is none for a WebSocket. */
static int shake_hands(connection *c, const uint8_t *data, size_t size) {
    if (c->request_length + size > REQUEST_SIZE) return 0;
    memcpy(c->request + c->request_length, data, size);
    c->request_length += size;
    c->request[c->request_length] = 0;
    if (!strstr(c->request, "\r\n\r\n")) return 1;
    char *key = strcasestr(c->request, "\r\nsec-websocket-key: ");
    if (!key) return 0;
    char accepted[128], response[256];
    uint8_t digest[SHA_DIGEST_LENGTH];
    char base64[64];
    snprintf(accepted, sizeof accepted, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key + 21);
    SHA1((uint8_t *)accepted, strlen(accepted), digest);
    EVP_EncodeBlock((uint8_t *)base64, digest, sizeof digest);
    int length = snprintf(response, sizeof response,
                          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Accept: %s\r\n\r\n", base64);
    c->open = 1;
    return write_out(c, response, length);
}

static void unmask(uint8_t *to, const uint8_t *from, size_t size, const uint8_t mask[4], unsigned phase) {
    uint8_t turned[8];
    for (int i = 0; i < 8; i++) turned[i] = mask[(phase + i) & 3];
    uint64_t wide, piece;
    memcpy(&wide, turned, 8);
    size_t i = 0;
    for (; i + 8 <= size; i += 8) memcpy(&piece, from + i, 8), piece ^= wide, memcpy(to + i, &piece, 8);
    for (; i < size; i++) to[i] = from[i] ^ turned[i & 7];
}

/* Turns frames into their replies, in place: a reply is shorter than its frame. Returns how much there is to send. */
static size_t reply(connection *c, uint8_t *data, size_t size) {
    size_t in = 0, out = 0;
    while (in < size) {
        if (c->payload_left) {
            size_t piece = c->payload_left < size - in ? c->payload_left : size - in;
            unmask(data + out, data + in, piece, c->mask, c->payload_done & 3);
            in += piece, out += piece, c->payload_left -= piece, c->payload_done += piece;
            continue;
        }
        c->header[c->header_have++] = data[in++];
        int length = c->header[1] & 127;
        if (c->header_have == 2) c->header_need = length == 126 ? 8 : length == 127 ? 14 : 6;
        if (c->header_have < 2 || c->header_have < c->header_need) continue;
        int opcode = c->header[0] & 15;
        uint8_t answer[10] = {opcode == 9 ? 0x8a : c->header[0], length};
        int plain = c->header_need - 4;
        c->payload_left = length < 126 ? length : 0, c->payload_done = 0;
        for (int i = 2; i < plain; i++) c->payload_left = c->payload_left << 8 | c->header[i], answer[i] = c->header[i];
        memcpy(c->mask, c->header + plain, 4);
        memcpy(data + out, answer, plain);
        out += plain, c->header_have = 0;
        if (opcode == 8) c->closing = 1;
    }
    return out;
}

static int serve(connection *c) {
    static uint8_t buffer[READ_SIZE + 16];
    /* A header that was begun in the read before is answered with this one: room for it comes first. */
    uint8_t *data = buffer + 16;
    ssize_t n = recv(c->fd, data, READ_SIZE, 0);
    if (n < 0) return errno == EAGAIN;
    if (n == 0) return 0;
    if (!c->open) return shake_hands(c, data, n);
    data -= c->header_have;
    memcpy(data, c->header, c->header_have);
    n += c->header_have, c->header_have = 0;
    size_t size = reply(c, data, n);
    return size ? write_out(c, data, size) : 1;
}

int main(int argc, char **argv) {
    if (argc != 2) return fprintf(stderr, "limit: say the port\n"), 2;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    int one = 1, listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listening, (void *)&here, sizeof here)) die("limit: bind");
    if (listen(listening, 4096)) die("limit: listen");
    poller = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poller, EPOLL_CTL_ADD, listening, &event);
    for (;;) {
        struct epoll_event events[MAX_EVENTS];
        int count = epoll_wait(poller, events, MAX_EVENTS, -1);
        for (int i = 0; i < count; i++) {
            connection *c = events[i].data.ptr;
            if (!c) {
                int fd;
                while ((fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    c = calloc(1, sizeof *c);
                    c->fd = fd;
                    watch(c, EPOLLIN, EPOLL_CTL_ADD);
                }
            } else if (!(c->waiting ? write_waiting(c) : serve(c))) {
                drop(c);
            }
        }
    }
}
