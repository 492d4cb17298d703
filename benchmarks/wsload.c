/* wsload: a neutral WebSocket load generator (RFC 6455, RFC 7692), one thread on epoll, so that no client library is
 * the limit of a measurement. `make benchmarks/build/wsload` builds it; it needs Linux, OpenSSL and zlib.
 *
 *   wsload -p PORT [-m echo|broadcast|idle|connect|get] [-H 127.0.0.1] [-u /path] [-P subprotocol]
 *          [-c connections] [-d in flight per connection] [-s payload bytes] [-b binary] [-j JSON-like text]
 *          [-z permessage-deflate] [-T TLS] [-w warm-up s] [-t measured s]
 *
 * echo       each connection keeps -d messages in flight; counts the messages that come back
 * broadcast  connection 0 keeps -d messages in flight; counts the deliveries on all connections
 * idle       opens -c connections, prints how long that took, holds them for -t seconds or until SIGTERM, counts
 *            those lost
 * connect    opens (up to the 101) and drops connections, -c at a time; counts the handshakes
 * get        each connection keeps -d plain requests for -u in flight; counts the answers with status 200
 *
 * Counted is what comes in -t seconds after -w seconds. Prints one line of key=value pairs. gen_cpu, the processor time
 * of the measured seconds, near 100% means that wsload itself was the limit. errors are lost connections, and first
 * replies of connections that are not what was sent. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "messages.h"

enum { HANDSHAKES_AT_ONCE = 32, MAX_EVENTS = 1024, MAX_LATENCIES = 4000000, READ_SIZE = 1 << 18 };

typedef struct {
    int fd, wants_write, ready;       /* ready: the handshake is done */
    SSL *ssl;
    const uint8_t *block;             /* what is sent, again and again: the request, then the messages */
    size_t block_size, at, due;       /* where in the block we are, and how many bytes are to be sent from there */
    int next;                         /* the message that is sent next */
    char response[4096];              /* an HTTP response's head, until it is complete */
    int response_length;
    uint8_t header[10];               /* the frame header being read */
    int header_have, header_need, fin, opcode, checked;
    uint64_t payload_left;
    size_t message_size;              /* of the message being read, so far */
    double *sent_at;                  /* ring of send times of the messages in flight */
    int ring_head, ring_tail;
} connection;

static const char *host = "127.0.0.1", *path = "/", *subprotocol, *mode = "echo";
static int port, connections = 1, in_flight = 1, tls;
static double seconds = 5, warm_up = 1;

static int poller, measuring, echoing, broadcasting, connecting, getting;
static volatile sig_atomic_t stopped;
static connection *all;
static SSL_CTX *tls_context;
static struct sockaddr_in server;
static char request[2048];
static size_t request_length;
static double clock_now, cpu_before, *latencies;
static long latency_count, counted, payload_bytes, handshakes, close_frames, errors;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return clock_now = t.tv_sec + t.tv_nsec * 1e-9;
}

static double cpu_time(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

static void watch(connection *c, int write) {
    if (c->wants_write == write) return;
    c->wants_write = write;
    struct epoll_event event = {.events = EPOLLIN | (write ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
}

/* Bytes moved, 0 at the end of the stream, -1 to try again later, -2 on an error. */
static ssize_t wire(connection *c, int writing, void *data, size_t size) {
    ssize_t n;
    if (c->ssl) {
        n = writing ? SSL_write(c->ssl, data, size) : SSL_read(c->ssl, data, size);
        if (n > 0) return n;
        int error = SSL_get_error(c->ssl, n);
        if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return -1;
        return error == SSL_ERROR_ZERO_RETURN ? 0 : -2;
    }
    n = writing ? send(c->fd, data, size, MSG_NOSIGNAL) : recv(c->fd, data, size, 0);
    return n >= 0 ? n : errno == EAGAIN ? -1 : -2;
}

/* Sends what is due. On an error nothing is due any more: reading will tell that the connection is gone. */
static void flush(connection *c) {
    while (c->due) {
        size_t size = c->block_size - c->at < c->due ? c->block_size - c->at : c->due;
        ssize_t n = wire(c, 1, (void *)(c->block + c->at), size);
        if (n == -1) return watch(c, !c->ssl || SSL_want_write(c->ssl));
        if (n < 0) break;
        c->due -= n;
        c->at = (c->at + n) % c->block_size;
    }
    c->due = 0;
    watch(c, 0);
}

static void send_message(connection *c) {
    c->sent_at[c->ring_tail] = clock_now;
    c->ring_tail = (c->ring_tail + 1) % (in_flight + 1);
    c->due += message_lengths[c->next];
    c->next = (c->next + 1) % variants;
}

static void become_ready(connection *c) {
    c->block = messages, c->block_size = messages_size, c->at = c->due = c->next = 0;
    c->ready = 1, handshakes++;
}

static void open_connection(connection *c) {
    static int opened;
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0) die("no more sockets (ulimit -n)");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (!strncmp(host, "127.", 4)) { /* spread over loopback addresses, so that ports do not run out */
        struct sockaddr_in local = {.sin_family = AF_INET};
        local.sin_addr.s_addr = htonl(0x7f000002 + opened++ / 20000 % 200);
        bind(c->fd, (void *)&local, sizeof local);
    }
    if (connect(c->fd, (void *)&server, sizeof server) < 0) die(strerror(errno));
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    if (tls) {
        c->ssl = SSL_new(tls_context);
        SSL_set_fd(c->ssl, c->fd);
        SSL_set_connect_state(c->ssl);
    }
    c->ready = c->response_length = c->wants_write = c->header_have = c->checked = 0;
    c->payload_left = c->message_size = 0;
    c->header_need = 2;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event);
    c->block = (uint8_t *)request, c->block_size = c->due = request_length, c->at = 0;
    if (getting) become_ready(c);
    flush(c);
}

/* Leaves no TIME_WAIT behind: after some thousand of them no port would be free for a minute. */
static void drop_connection(connection *c) {
    struct linger reset = {1, 0};
    if (c->fd < 0) return;
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (c->ssl) SSL_free(c->ssl), c->ssl = NULL;
    close(c->fd);
    c->fd = -1;
}

static void on_message(connection *c) {
    if (measuring) counted++;
    if (echoing || getting || (broadcasting && c == all)) {
        double latency = clock_now - c->sent_at[c->ring_head];
        if (measuring && latency_count < MAX_LATENCIES) latencies[latency_count++] = latency;
        c->ring_head = (c->ring_head + 1) % (in_flight + 1);
        send_message(c);
    }
    c->checked = 1, c->message_size = 0;
}

static void on_response(connection *c) {
    if (getting) {
        const char *length = strcasestr(c->response, "\r\ncontent-length:");
        if (strncmp(c->response, "HTTP/1.1 200", 12) || !length) die(c->response);
        c->payload_left = atoll(length + 17);
        c->response_length = 0;
        if (!c->payload_left) on_message(c);
        return;
    }
    if (strncmp(c->response, "HTTP/1.1 101", 12)) die(c->response);
    if (compressed && !strcasestr(c->response, "permessage-deflate")) die("permessage-deflate was declined");
    become_ready(c);
}

static size_t read_response(connection *c, const uint8_t *data, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (c->response_length == (int)sizeof c->response - 1) die("a response's head is too long");
        c->response[c->response_length++] = data[i];
        c->response[c->response_length] = 0;
        if (c->response_length >= 4 && !memcmp(c->response + c->response_length - 4, "\r\n\r\n", 4)) {
            on_response(c);
            return i + 1;
        }
    }
    return size;
}

static void on_payload(connection *c, const uint8_t *data, size_t size) {
    int is_message = getting || c->opcode < 8;
    if (is_message && !c->checked && !compressed && !getting) {
        size_t left = c->message_size < payload_size ? payload_size - c->message_size : 0;
        if (size > left || memcmp(data, first_payload + c->message_size, size)) errors++, c->checked = 1;
    }
    if (is_message) c->message_size += size;
    c->payload_left -= size;
    if (measuring) payload_bytes += size;
    if (!c->payload_left && is_message && (getting || c->fin)) on_message(c);
}

static void on_frame_header(connection *c) {
    int length = c->header[1] & 127;
    uint64_t payload = length < 126 ? length : 0;
    for (int i = 2; i < c->header_need; i++) payload = payload << 8 | c->header[i];
    c->fin = c->header[0] >> 7, c->opcode = c->header[0] & 15;
    c->payload_left = payload;
    c->header_have = 0, c->header_need = 2;
    if (c->opcode == 8) close_frames++;
    if (!payload && c->opcode < 8 && c->fin) on_message(c);
}

static void read_bytes(connection *c, const uint8_t *data, size_t size) {
    while (size > 0) {
        size_t used = 1;
        if (c->payload_left) {
            used = c->payload_left < size ? c->payload_left : size;
            on_payload(c, data, used);
        } else if (!c->ready || getting) {
            used = read_response(c, data, size);
        } else {
            c->header[c->header_have++] = *data;
            if (c->header_have == 2) c->header_need = (*data & 127) == 126 ? 4 : (*data & 127) == 127 ? 10 : 2;
            if (c->header_have == c->header_need) on_frame_header(c);
        }
        data += used, size -= used;
    }
}

/* Reads what is there; 0 when the connection is gone. */
static int serve(connection *c) {
    static uint8_t buffer[READ_SIZE];
    for (;;) {
        ssize_t n = wire(c, 0, buffer, sizeof buffer);
        if (n == -1) break;
        if (n <= 0) return 0;
        now(); /* once for all messages of a read: it stands for when they came in and when the next went out */
        read_bytes(c, buffer, n);
        if (!c->ssl) break;
    }
    if (c->due) flush(c);
    return 1;
}

static void wait_and_serve(int timeout_ms) {
    struct epoll_event events[MAX_EVENTS];
    int n = epoll_wait(poller, events, MAX_EVENTS, timeout_ms);
    for (int i = 0; i < n; i++) {
        connection *c = events[i].data.ptr;
        if (events[i].events & EPOLLOUT) flush(c);
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !serve(c)) {
            if (!c->ready) die("closed in the handshake");
            errors++;
            drop_connection(c);
        } else if (connecting && c->ready) {
            if (measuring) counted++;
            drop_connection(c);
            open_connection(c);
        }
    }
}

static double open_all(void) {
    double start = now();
    for (int started = 0; handshakes < connections;) {
        while (started < connections && started - handshakes < HANDSHAKES_AT_ONCE) open_connection(&all[started++]);
        if (handshakes < connections) wait_and_serve(1000);
        if (now() - start > 120) die("the handshakes stalled");
    }
    return now() - start;
}

static void run_idle(void) {
    printf("mode=idle conns=%d open_s=%.2f\n", connections, open_all());
    fflush(stdout);
    for (double end = now() + seconds; now() < end && !stopped;) wait_and_serve(200);
    printf("mode=idle lost=%ld\n", errors);
}

static int compare(const void *a, const void *b) {
    return (*(double *)a > *(double *)b) - (*(double *)a < *(double *)b);
}

static double percentile(double share) {
    return latency_count ? latencies[(long)((latency_count - 1) * share)] * 1e6 : 0;
}

static void run_load(void) {
    double opening = 0;
    if (connecting) {
        for (int i = 0; i < connections; i++) open_connection(&all[i]);
    } else {
        opening = open_all();
        for (int i = 0; i < (broadcasting ? 1 : connections); i++) {
            for (int k = 0; k < in_flight; k++) send_message(&all[i]);
            flush(&all[i]);
        }
    }
    double start = now() + warm_up, end = start + seconds;
    for (double t; (t = now()) < end; wait_and_serve(50))
        if (!measuring && t >= start) measuring = 1, start = t, cpu_before = cpu_time();
    double elapsed = now() - start, cpu = cpu_time() - cpu_before;
    qsort(latencies, latency_count, sizeof *latencies, compare);
    printf("mode=%s conns=%d depth=%d size=%zu open_s=%.2f seconds=%.2f %s=%.0f MB_per_s=%.1f wire_MB_per_s=%.1f "
           "p50_us=%.0f p99_us=%.0f p999_us=%.0f max_us=%.0f close_frames=%ld errors=%ld gen_cpu=%.0f%%\n",
           mode, connections, in_flight, payload_size, opening, elapsed,
           connecting ? "handshakes_per_s" : getting ? "gets_per_s" : "msgs_per_s", counted / elapsed,
           (compressed ? (double)counted * payload_size : payload_bytes) / elapsed / 1e6, payload_bytes / elapsed / 1e6,
           percentile(.5), percentile(.99), percentile(.999), percentile(1), close_frames, errors, 100 * cpu / elapsed);
}

static void stop(int number) { (void)number, stopped = 1; }

int main(int argc, char **argv) {
    for (int option; (option = getopt(argc, argv, "H:p:u:P:c:d:s:bjzTt:m:w:h")) != -1;) switch (option) {
        case 'm': mode = optarg; break;
        case 'H': host = optarg; break;
        case 'p': port = atoi(optarg); break;
        case 'u': path = optarg; break;
        case 'P': subprotocol = optarg; break;
        case 'c': connections = atoi(optarg); break;
        case 'd': in_flight = atoi(optarg); break;
        case 's': payload_size = atoll(optarg); break;
        case 'b': binary = 1; break;
        case 'j': json_text = 1; break;
        case 'z': compressed = 1; break;
        case 'T': tls = 1; break;
        case 'w': warm_up = atof(optarg); break;
        case 't': seconds = atof(optarg); break;
        default: die("see the comment at the top of wsload.c");
    }
    echoing = !strcmp(mode, "echo"), broadcasting = !strcmp(mode, "broadcast");
    connecting = !strcmp(mode, "connect"), getting = !strcmp(mode, "get");
    int idle = !strcmp(mode, "idle");
    if (!(echoing || broadcasting || connecting || getting || idle)) die("unknown mode");
    if (port < 1 || connections < 1 || in_flight < 1) die("-p, -c and -d must be at least 1");
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGTERM, stop);
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    if (tls) {
        tls_context = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_mode(tls_context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    }
    server.sin_family = AF_INET, server.sin_port = htons(port);
    if (inet_pton(AF_INET, host, &server.sin_addr) != 1) die("-H takes an IPv4 address");
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s:%d\r\n%s%s%s%s%s\r\n", path, host, port,
                          getting ? "" : "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                                         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n",
                          subprotocol ? "Sec-WebSocket-Protocol: " : "", subprotocol ? subprotocol : "",
                          subprotocol ? "\r\n" : "",
                          compressed ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "");
    if (length >= (int)sizeof request) die("-u or -P is too long");
    request_length = length;
    if (getting) messages = (uint8_t *)request, messages_size = message_lengths[0] = length, variants = 1;
    else make_messages();
    poller = epoll_create1(0);
    all = calloc(connections, sizeof *all);
    for (int i = 0; i < connections; i++) all[i].sent_at = calloc(in_flight + 1, sizeof(double));
    latencies = malloc(MAX_LATENCIES * sizeof *latencies);
    if (idle) run_idle();
    else run_load();
    for (int i = 0; i < connections; i++) drop_connection(&all[i]);
    return 0;
}
