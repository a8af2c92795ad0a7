/* Clients that push without a pause, each on a connection of its own, with the bodies that pyturso
 * sends; so light that it takes little of the server's time. Prints one JSON object.
 *
 * cc -O2 -o push_load push_load.c
 * ./push_load PORT SECONDS CLIENTS ROWS_PER_PUSH DATABASE...
 *
 * The clients take turns in choosing their database. The table t(id INTEGER PRIMARY KEY, v TEXT)
 * must be there. The ids of rows are numbers from 100000000000 on, in each database without gaps.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define FIRST_ID 100000000000LL
#define DIGITS 12
#define NOT_AUTOCOMMIT "{\"type\":\"not\",\"cond\":{\"type\":\"is_autocommit\"}}"
#define STEP(condition, sql, args)                                                             \
    "{\"condition\":" condition ",\"stmt\":{\"sql\":\"" sql "\",\"sql_id\":null,\"args\":[" args \
    "],\"named_args\":[],\"want_rows\":false,\"replication_index\":null}}"
#define INTEGER "{\"type\":\"integer\",\"value\":\"" NUMBER "\"}"
#define NUMBER "############"

static const char head[] =
    "{\"baton\":null,\"requests\":[{\"type\":\"batch\",\"batch\":{\"steps\":[" STEP(
        "null", "BEGIN IMMEDIATE", "") "," STEP(NOT_AUTOCOMMIT,
        "CREATE TABLE IF NOT EXISTS turso_sync_last_change_id (client_id TEXT PRIMARY KEY, "
        "pull_gen INTEGER, change_id INTEGER)", "");
static const char row_step[] = "," STEP(NOT_AUTOCOMMIT,
    "INSERT INTO \\\"t\\\"(\\\"id\\\", \\\"v\\\") VALUES (?,?) ON CONFLICT(\\\"id\\\") DO UPDATE "
    "SET \\\"id\\\" = excluded.\\\"id\\\",\\\"v\\\" = excluded.\\\"v\\\"",
    INTEGER ",{\"type\":\"text\",\"value\":\"a row that is as long as this one\"}");
static const char tail[] = "," STEP(NOT_AUTOCOMMIT,
    "INSERT INTO turso_sync_last_change_id(client_id, pull_gen, change_id) VALUES (?, ?, ?) ON "
    "CONFLICT(client_id) DO UPDATE SET pull_gen=excluded.pull_gen, change_id=excluded.change_id",
    "{\"type\":\"text\",\"value\":\"turso-sync-py-" NUMBER
    "\"},{\"type\":\"integer\",\"value\":\"0\"}," INTEGER) "," STEP(NOT_AUTOCOMMIT, "COMMIT", "")
    "],\"replication_index\":null}}]}";

struct client {
    int socket, database;
    char *request;       /* head and body, with the numbers of the next push */
    size_t size, sent;
    size_t *rows;        /* where the ids are in `request` */
    size_t change;       /* where the change id is */
    long long next_change;
    double start;
    char answer[65536];  /* its head, and what came with it */
    size_t received;
    long long missing;   /* bytes of the answer's body; -1: the head is not complete */
    int failed;
};

static long row_count;
static double *latencies;
static long latency_count, latency_room;
static long long *next_ids;

static void stop(const char *what) {
    fprintf(stderr, "push_load: %s\n", what);
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void put(char *place, long long number) {
    for (int digit = DIGITS - 1; digit >= 0; digit--, number /= 10) place[digit] = '0' + number % 10;
}

static size_t next_number(const struct client *client, size_t from) {
    char *found = memmem(client->request + from, client->size - from, NUMBER, DIGITS);
    return found ? (size_t)(found - client->request) : client->size;
}

static void make_request(struct client *client, int number, const char *database) {
    size_t body = strlen(head) + row_count * strlen(row_step) + strlen(tail);
    client->request = malloc(body + 512);
    client->rows = malloc(row_count * sizeof *client->rows);
    if (!client->request || !client->rows) stop("no memory");
    client->size = sprintf(
        client->request,
        "POST /db/%s/v2/pipeline HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: %zu\r\n\r\n%s",
        database, body, head);
    for (long row = 0; row < row_count; row++, client->size += strlen(row_step))
        memcpy(client->request + client->size, row_step, strlen(row_step));
    memcpy(client->request + client->size, tail, strlen(tail));
    client->size += strlen(tail);
    size_t place = 0;
    for (long row = 0; row < row_count; row++, place += DIGITS)
        client->rows[row] = place = next_number(client, place);
    place = next_number(client, place);
    put(client->request + place, number);
    client->change = next_number(client, place);
}

static void begin_push(struct client *client) {
    for (long row = 0; row < row_count; row++)
        put(client->request + client->rows[row], next_ids[client->database]++);
    put(client->request + client->change, FIRST_ID + client->next_change++);
    client->sent = client->received = 0;
    client->missing = -1;
    client->failed = 0;
    client->start = now();
}

/* Whether there is nothing more to send. */
static int send_some(struct client *client) {
    while (client->sent < client->size) {
        ssize_t count = send(
            client->socket, client->request + client->sent, client->size - client->sent,
            MSG_NOSIGNAL);
        if (count < 0 && errno == EAGAIN) return 0;
        if (count < 0) stop("a connection broke while a push was sent");
        client->sent += count;
    }
    return 1;
}

static void read_head(struct client *client) {
    client->answer[client->received] = 0;
    char *end = strstr(client->answer, "\r\n\r\n");
    if (!end) return;
    char *length = strcasestr(client->answer, "content-length:");
    if (!length || length > end) stop("an answer has no length");
    client->failed = strncmp(client->answer, "HTTP/1.1 200 ", 13) != 0;
    long long size = atoll(length + 15), here = client->received - (end + 4 - client->answer);
    client->missing = size - here;
    /* Such as are this short are here as a whole. */
    if (strstr(end, "\"message\":")) client->failed = 1;
}

/* Whether the answer is complete. */
static int receive_some(struct client *client) {
    for (;;) {
        size_t start = client->missing < 0 ? client->received : 0;
        ssize_t count = recv(
            client->socket, client->answer + start, sizeof client->answer - 1 - start, 0);
        if (count < 0 && errno == EAGAIN) return 0;
        if (count <= 0) stop("a connection broke while an answer came");
        if (client->missing < 0) {
            client->received += count;
            read_head(client);
        } else {
            client->missing -= count;
        }
        if (client->missing == 0) return 1;
    }
}

static void note_latency(double seconds) {
    if (latency_count == latency_room) {
        latency_room = latency_room ? 2 * latency_room : 65536;
        latencies = realloc(latencies, latency_room * sizeof *latencies);
        if (!latencies) stop("no memory");
    }
    latencies[latency_count++] = seconds;
}

static int compare(const void *left, const void *right) {
    double difference = *(const double *)left - *(const double *)right;
    return difference < 0 ? -1 : difference > 0;
}

static double percentile(double fraction) {
    return latency_count ? latencies[(long)(fraction * (latency_count - 1))] * 1e6 : 0;
}

static int open_connection(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, descriptor = socket(AF_INET, SOCK_STREAM, 0);
    if (descriptor < 0 || connect(descriptor, (void *)&address, sizeof address) != 0)
        stop("cannot connect");
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fcntl(descriptor, F_SETFL, O_NONBLOCK) != 0) stop("fcntl failed");
    return descriptor;
}

int main(int count, char **arguments) {
    if (count < 6) {
        fprintf(stderr, "usage: push_load PORT SECONDS CLIENTS ROWS_PER_PUSH DATABASE...\n");
        return 2;
    }
    double seconds = atof(arguments[2]);
    int client_count = atoi(arguments[3]), database_count = count - 5;
    row_count = atol(arguments[4]);
    next_ids = malloc(database_count * sizeof *next_ids);
    for (int each = 0; each < database_count; each++) next_ids[each] = FIRST_ID;
    struct client *clients = calloc(client_count, sizeof *clients);
    int epoll = epoll_create1(0);
    for (int each = 0; each < client_count; each++) {
        struct client *client = &clients[each];
        client->database = each % database_count;
        make_request(client, each, arguments[5 + client->database]);
        client->socket = open_connection(atoi(arguments[1]));
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = client};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, client->socket, &event) != 0) stop("epoll_ctl failed");
    }

    long pushes = 0, failures = 0;
    int running = client_count;
    double start = now(), end = start;
    for (int each = 0; each < client_count; each++) {
        begin_push(&clients[each]);
        send_some(&clients[each]);
    }
    while (running > 0) {
        struct epoll_event events[64];
        int ready = epoll_wait(epoll, events, 64, 30000);
        if (ready == 0) stop("no answer for 30 s");
        for (int each = 0; each < ready; each++) {
            struct client *client = events[each].data.ptr;
            if (client->missing == 0) continue; /* It is done. */
            send_some(client);
            while (client->missing != 0 && receive_some(client)) {
                end = now();
                note_latency(end - client->start);
                pushes++;
                failures += client->failed;
                if (end - start >= seconds) {
                    running--;
                    break;
                }
                begin_push(client);
                send_some(client);
            }
        }
    }
    qsort(latencies, latency_count, sizeof *latencies, compare);
    printf(
        "{\"pushes\":%ld,\"rows\":%ld,\"failures\":%ld,\"seconds\":%.3f,\"p50_us\":%.0f,"
        "\"p99_us\":%.0f,\"max_us\":%.0f}\n",
        pushes, pushes * row_count, failures, end - start, percentile(0.5), percentile(0.99),
        percentile(1));
    return 0;
}
