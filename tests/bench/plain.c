/* The floor: bytes over TCP in two processes, without encryption, without a check.
 *
 *   plain receive TARGET [ADDRESS]   says its port, takes one connection; TARGET is a file, or with
 *   plain send SOURCE ADDRESS PORT   a folder as SOURCE the folder into which framed files are written
 *
 * One file: a read/write loop with buffers of 1 MiB. A folder: for each file its path, its size, its
 * bytes, all through one buffer of 1 MiB. The sender ends when the receiver has written everything. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER (1 << 20)
static char buffer[BUFFER];
static size_t filled, taken;
static int peer;

struct header {
    uint32_t kind; /* 'f' one file, 'd' a folder, 'e' a file in it, 0 the end */
    uint32_t name;
    uint64_t size;
};

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void write_all(int to, const char *bytes, size_t count) {
    while (count) {
        ssize_t n = write(to, bytes, count);
        if (n <= 0) die("write");
        bytes += n, count -= n;
    }
}

static void flush_out(void) {
    write_all(peer, buffer, filled);
    filled = 0;
}

static void put(const void *bytes, size_t count) {
    if (filled + count > BUFFER) flush_out();
    memcpy(buffer + filled, bytes, count);
    filled += count;
}

static void send_file(uint32_t kind, int folder, const char *name, const char *path) {
    int file = openat(folder, name, O_RDONLY);
    struct stat about;
    if (file < 0 || fstat(file, &about)) die(path);
    struct header header = {kind, strlen(path), about.st_size};
    put(&header, sizeof header);
    put(path, header.name);
    for (uint64_t left = about.st_size; left;) {
        if (filled == BUFFER) flush_out();
        ssize_t n = read(file, buffer + filled, left < BUFFER - filled ? left : BUFFER - filled);
        if (n <= 0) die(path);
        filled += n, left -= n;
    }
    close(file);
}

static void send_folder(int folder, const char *path) {
    DIR *list = fdopendir(folder);
    if (!list) die(path);
    for (struct dirent *entry; (entry = readdir(list));) {
        char below[4096];
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        snprintf(below, sizeof below, "%s%s%s", path, *path ? "/" : "", entry->d_name);
        if (entry->d_type == DT_DIR) {
            struct header header = {'d', strlen(below), 0};
            put(&header, sizeof header);
            put(below, header.name);
            int next = openat(folder, entry->d_name, O_RDONLY | O_DIRECTORY);
            if (next < 0) die(below);
            send_folder(next, below);
        } else {
            send_file('e', folder, entry->d_name, below);
        }
    }
    closedir(list);
}

static size_t more(void) {
    if (taken == filled) {
        ssize_t n = read(peer, buffer, BUFFER);
        if (n <= 0) die("the sender is gone");
        taken = 0, filled = n;
    }
    return filled - taken;
}

static void take(void *to, size_t count) {
    for (char *at = to; count;) {
        size_t n = more();
        if (n > count) n = count;
        memcpy(at, buffer + taken, n);
        at += n, taken += n, count -= n;
    }
}

static void receive(const char *target) {
    int folder = AT_FDCWD;
    struct header header;
    for (;;) {
        char name[4096];
        take(&header, sizeof header);
        if (!header.kind) return;
        if (header.name >= sizeof name) exit(1);
        take(name, header.name);
        name[header.name] = 0;
        if (header.kind != 'f' && folder == AT_FDCWD) {
            mkdir(target, 0755);
            if ((folder = open(target, O_RDONLY | O_DIRECTORY)) < 0) die(target);
        }
        if (header.kind == 'd') {
            if (mkdirat(folder, name, 0755)) die(name);
            continue;
        }
        int file = openat(folder, header.kind == 'f' ? target : name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        if (file < 0) die(name);
        for (uint64_t left = header.size; left;) {
            size_t n = more();
            if (n > left) n = left;
            write_all(file, buffer + taken, n);
            taken += n, left -= n;
        }
        close(file);
    }
}

int main(int count, char **words) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int endpoint = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (count >= 3 && !strcmp(words[1], "receive")) {
        inet_pton(AF_INET, count > 3 ? words[3] : "127.0.0.1", &address.sin_addr);
        if (bind(endpoint, (void *)&address, length) || listen(endpoint, 1)) die("listen");
        getsockname(endpoint, (void *)&address, &length);
        printf("%d\n", ntohs(address.sin_port));
        fflush(stdout);
        if ((peer = accept(endpoint, NULL, NULL)) < 0) die("accept");
        receive(words[2]);
    } else if (count == 5 && !strcmp(words[1], "send")) {
        inet_pton(AF_INET, words[3], &address.sin_addr);
        address.sin_port = htons(atoi(words[4]));
        if (connect(endpoint, (void *)&address, length)) die("connect");
        peer = endpoint;
        int folder = open(words[2], O_RDONLY | O_DIRECTORY);
        if (folder >= 0)
            send_folder(folder, "");
        else
            send_file('f', AT_FDCWD, words[2], "file");
        struct header end = {0};
        put(&end, sizeof end);
        flush_out();
        shutdown(peer, SHUT_WR);
        /* The receiver closes when it has written everything. */
        return read(peer, buffer, 1) ? 1 : 0;
    } else {
        fprintf(stderr, "plain receive TARGET [ADDRESS] | plain send SOURCE ADDRESS PORT\n");
        return 2;
    }
}
