/* Posts a file at random moments, so many times a second, and prints how long the answers took.
 *
 *     random_arrivals HOST PORT PATH FILE RATE CONNECTIONS SECONDS [TIMES]
 *
 * The moments are those of a Poisson process: independent clients, each of which asks seldom. They
 * do not depend on the answers (an open loop), and a request's time counts from the moment at which
 * it was due. One process and no library, so that it takes little of a machine that the service
 * shares. Requests that are due while all connections wait for answers are dropped, and counted.
 * TIMES is a file for when each request was due (CLOCK_MONOTONIC) and what it took, both in ns.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_BYTES 65536
#define EVENTS 256
#define LAST_ANSWERS_NS 5000000000LL

struct connection {
    int socket;
    int64_t due;        /* when the request that is under way was due; 0 while there is none */
    size_t have;        /* bytes of its answer that have come */
    char answer[ANSWER_BYTES + 1];
};

static void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, errno ? strerror(errno) : "unexpected");
    exit(1);
}

static int64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* Nanoseconds until the next of `rate` independent events a second. */
static int64_t pause_ns(double rate) {
    return (int64_t)(-log(1.0 - drand48()) / rate * 1e9);
}

static char *request_of(const char *host, const char *path, const char *file, size_t *size) {
    FILE *body = fopen(file, "rb");
    if (!body || fseek(body, 0, SEEK_END)) fail(file);
    long length = ftell(body);
    rewind(body);
    char *request = malloc(length + strlen(path) + strlen(host) + 200);
    int head = sprintf(request,
                       "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
                       "Content-Length: %ld\r\n\r\n", path, host, length);
    if (fread(request + head, 1, length, body) != (size_t)length) fail(file);
    fclose(body);
    *size = head + length;
    return request;
}

static int open_connection(const char *host, int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) fail(host);
    int found = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    if (found < 0 || connect(found, (struct sockaddr *)&address, sizeof address)) fail("connect");
    setsockopt(found, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(found, F_SETFL, O_NONBLOCK);
    return found;
}

/* Read what has come of an answer; return its status once it is whole, or else 0. */
static int receive(struct connection *from) {
    ssize_t got = recv(from->socket, from->answer + from->have, ANSWER_BYTES - from->have, 0);
    if (got < 0 && errno == EAGAIN) return 0;
    if (got <= 0) fail("an answer ended early, or is too long");
    from->have += got;
    from->answer[from->have] = 0;
    char *end = strstr(from->answer, "\r\n\r\n");
    if (!end) return 0;
    char *length = strcasestr(from->answer, "\r\ncontent-length:");
    if (!length || length > end) fail("an answer without Content-Length");
    size_t whole = end + 4 - from->answer + strtoul(length + 17, NULL, 10);
    return from->have < whole ? 0 : atoi(from->answer + strlen("HTTP/1.1 "));
}

struct times {
    int64_t due_ns, took_ns;
};

static int compare(const void *one, const void *other) {
    int64_t a = ((const struct times *)one)->took_ns, b = ((const struct times *)other)->took_ns;
    return (a > b) - (a < b);
}

static void write_times(const char *path, const struct times *times, size_t answers) {
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(times, sizeof *times, answers, file) != answers || fclose(file)) fail(path);
}

int main(int count, char **words) {
    if (count != 8 && count != 9) return 2;
    const char *host = words[1];
    double rate = atof(words[5]), seconds = atof(words[7]);
    int connections = atoi(words[6]);
    size_t size;
    char *request = request_of(host, words[3], words[4], &size);
    struct connection *all = calloc(connections, sizeof *all);
    /* Those without a request, the one that has rested longest first: so all workers are asked. */
    int *resting = malloc(connections * sizeof *resting), first = 0, left = connections;
    int poll = epoll_create1(0);
    for (int i = 0; i < connections; i++) {
        all[i].socket = open_connection(host, atoi(words[2]));
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, all[i].socket, &event)) fail("epoll");
        resting[i] = i;
    }
    size_t room = (size_t)(rate * seconds * 1.5) + 1000, answers = 0;
    struct times *times = malloc(room * sizeof *times);
    long dropped = 0, failed = 0;
    srand48(1);
    int64_t begin = now_ns(), end = begin + (int64_t)(seconds * 1e9), due = begin;
    for (int64_t now = begin; now < end || (left < connections && now < end + LAST_ANSWERS_NS);) {
        for (; due <= now && due < end; due += pause_ns(rate)) {
            if (left == 0) {
                dropped++;
                continue;
            }
            struct connection *to = &all[resting[first]];
            first = (first + 1) % connections;
            left--;
            to->due = due;
            to->have = 0;
            if (send(to->socket, request, size, MSG_NOSIGNAL) != (ssize_t)size) fail("send");
        }
        int64_t wait = (due < end ? due : now + 10000000) - now_ns();
        struct timespec timeout = {.tv_nsec = wait > 0 ? wait % 1000000000 : 0};
        struct epoll_event ready[EVENTS];
        int found = epoll_pwait2(poll, ready, EVENTS, &timeout, NULL);
        if (found < 0 && errno != EINTR) fail("epoll");
        now = now_ns();
        for (int i = 0; i < found; i++) {
            struct connection *from = &all[ready[i].data.u32];
            int status = receive(from);
            if (!status) continue;
            if (status != 200) failed++;
            if (answers < room) times[answers++] = (struct times){from->due, now - from->due};
            resting[(first + left) % connections] = ready[i].data.u32;
            left++;
        }
    }
    failed += connections - left;
    if (!answers) fail("no answer");
    if (count == 9) write_times(words[8], times, answers);
    qsort(times, answers, sizeof *times, compare);
    printf("{\"requests\": %zu, \"p50_ms\": %.4f, \"p99_ms\": %.4f, \"dropped\": %ld, "
           "\"failed\": %ld}\n", answers, times[answers / 2].took_ns / 1e6,
           times[answers * 99 / 100].took_ns / 1e6, dropped, failed);
    return 0;
}
