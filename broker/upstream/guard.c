#include "upstream/guard.h"

#include <sys/socket.h>

#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/parse.h"

enum {
    V4_BYTES = 4,
    V6_BYTES = 16,
    LABEL_MAX_BYTES = 63,
};

/* One line of a table: the first `bits` of an address. Earlier lines win. */
struct range4 {
    uint8_t at[V4_BYTES];
    uint8_t bits;
    enum guard_rule rule;
};

struct range6 {
    uint8_t at[V6_BYTES];
    uint8_t bits;
    enum guard_rule rule;
};

/* clang-format off */
static const struct range4 RANGES4[] = {
    {{169, 254, 169, 254}, 32, GUARD_METADATA}, /* AWS, GCP, Azure, others */
    {{169, 254, 170, 0},   24, GUARD_METADATA}, /* AWS: ECS and EKS tasks */
    {{169, 254, 0, 23},    32, GUARD_METADATA}, /* Tencent */
    {{100, 100, 100, 200}, 32, GUARD_METADATA}, /* Alibaba */
    {{192, 0, 0, 192},     32, GUARD_METADATA}, /* Oracle */
    {{168, 63, 129, 16},   32, GUARD_METADATA}, /* Azure, in a public range */
    {{0, 0, 0, 0},          8, GUARD_UNSPECIFIED},
    {{10, 0, 0, 0},         8, GUARD_PRIVATE},
    {{100, 64, 0, 0},      10, GUARD_SHARED},
    {{127, 0, 0, 0},        8, GUARD_LOOPBACK},
    {{169, 254, 0, 0},     16, GUARD_LINK_LOCAL},
    {{172, 16, 0, 0},      12, GUARD_PRIVATE},
    {{192, 0, 0, 0},       24, GUARD_RESERVED}, /* protocol assignments */
    {{192, 0, 2, 0},       24, GUARD_RESERVED}, /* documentation */
    {{192, 88, 99, 0},     24, GUARD_RESERVED}, /* 6to4 relays, given up */
    {{192, 168, 0, 0},     16, GUARD_PRIVATE},
    {{198, 18, 0, 0},      15, GUARD_BENCHMARK},
    {{198, 51, 100, 0},    24, GUARD_RESERVED},
    {{203, 0, 113, 0},     24, GUARD_RESERVED},
    {{224, 0, 0, 0},        4, GUARD_MULTICAST},
    {{240, 0, 0, 0},        4, GUARD_RESERVED}, /* with the broadcast */
};

static const struct range6 RANGES6[] = {
    {{0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, 0x54}, 128, GUARD_METADATA}, /* AWS */
    {{0xfd, 0x00, 0x0e, 0xc2, [15] = 0x23},       128, GUARD_METADATA},
    {{0xfd, 0x20, 0x00, 0xce, [14] = 0x02, 0x54}, 128, GUARD_METADATA}, /* GCP */
    {{[15] = 1},                                  128, GUARD_LOOPBACK},
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01},         48, GUARD_PRIVATE}, /* RFC 8215 */
    {{0x01, 0x00},                                 64, GUARD_RESERVED}, /* discard */
    {{0x20, 0x01, 0x00, 0x02},                     48, GUARD_BENCHMARK},
    {{0x20, 0x01, 0x00, 0x10},                     28, GUARD_RESERVED}, /* ORCHID */
    {{0x20, 0x01, 0x0d, 0xb8},                     32, GUARD_RESERVED}, /* documentation */
    {{0x3f, 0xff, 0x00, 0x00},                     20, GUARD_RESERVED},
    {{0x5f, 0x00},                                 16, GUARD_RESERVED}, /* SRv6 */
    {{0xfc, 0x00},                                  7, GUARD_PRIVATE},
    {{0xfe, 0x80},                                 10, GUARD_LINK_LOCAL},
    {{0xfe, 0xc0},                                 10, GUARD_PRIVATE}, /* site-local */
    {{0xff, 0x00},                                  8, GUARD_MULTICAST},
};

/* IPv6 addresses that carry an IPv4 one, and where. */
static const struct carrier {
    uint8_t at[V6_BYTES];
    uint8_t bits;
    uint8_t offset;
    uint8_t flip; /* XORed over each byte */
} CARRIERS[] = {
    {{[10] = 0xff, 0xff},           96, 12, 0},    /* mapped */
    {{[8] = 0xff, 0xff},            96, 12, 0},    /* translated, RFC 2765 */
    {{0},                           96, 12, 0},    /* compatible, given up; :: */
    {{0x00, 0x64, 0xff, 0x9b},      96, 12, 0},    /* NAT64 */
    {{0x20, 0x02},                  16,  2, 0},    /* 6to4 */
    {{0x20, 0x01, 0x00, 0x00},      32, 12, 0xff}, /* Teredo: the client */
};

/* clang-format on */

static const char *const SAYS[] = {
    [GUARD_PUBLIC] = "is a public address",
    [GUARD_LOOPBACK] = "is a loopback address",
    [GUARD_PRIVATE] = "is a private address",
    [GUARD_SHARED] = "is a carrier's shared address",
    [GUARD_BENCHMARK] = "is a benchmarking address",
    [GUARD_LINK_LOCAL] = "is a link-local address",
    [GUARD_METADATA] = "is a cloud's metadata address",
    [GUARD_UNSPECIFIED] = "is an unspecified address",
    [GUARD_MULTICAST] = "is a multicast address",
    [GUARD_RESERVED] = "is a reserved address",
};

const char *
guard_says(enum guard_rule rule)
{
    return SAYS[rule];
}

bool
guard_allows(enum guard_rule rule, enum guard_may may)
{
    switch (rule) {
    case GUARD_PUBLIC:
        return true;
    case GUARD_LOOPBACK:
    case GUARD_PRIVATE:
    case GUARD_SHARED:
    case GUARD_BENCHMARK:
        return may != GUARD_MAY_PUBLIC;
    case GUARD_LINK_LOCAL:
    case GUARD_METADATA:
        return may == GUARD_MAY_NAMED;
    case GUARD_UNSPECIFIED:
    case GUARD_MULTICAST:
    case GUARD_RESERVED:
        return false;
    }
    return false;
}

static bool
same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8;
    unsigned rest = bits % 8;
    uint8_t mask = (uint8_t)(0xff00U >> rest);

    for (unsigned i = 0; i < whole; i++) {
        if (a[i] != b[i]) {
            return false;
        }
    }
    return rest == 0 || ((a[whole] ^ b[whole]) & mask) == 0;
}

static enum guard_rule
judge4(const uint8_t address[V4_BYTES])
{
    for (size_t i = 0; i < AG_COUNT(RANGES4); i++) {
        if (same_bits(address, RANGES4[i].at, RANGES4[i].bits)) {
            return RANGES4[i].rule;
        }
    }
    return GUARD_PUBLIC;
}

static enum guard_rule
judge_carried(const uint8_t *from, uint8_t flip)
{
    uint8_t inner[V4_BYTES];

    for (size_t i = 0; i < V4_BYTES; i++) {
        inner[i] = from[i] ^ flip;
    }
    return judge4(inner);
}

/* ISATAP: any network, then 0000:5efe or 0200:5efe, then the IPv4 address. */
static bool
is_isatap(const uint8_t a[V6_BYTES])
{
    return (a[8] & ~0x02U) == 0 && a[9] == 0 && a[10] == 0x5e && a[11] == 0xfe;
}

static enum guard_rule
judge6(const uint8_t address[V6_BYTES])
{
    for (size_t i = 0; i < AG_COUNT(RANGES6); i++) {
        if (same_bits(address, RANGES6[i].at, RANGES6[i].bits)) {
            return RANGES6[i].rule;
        }
    }
    for (size_t i = 0; i < AG_COUNT(CARRIERS); i++) {
        const struct carrier *c = &CARRIERS[i];

        if (same_bits(address, c->at, c->bits)) {
            return judge_carried(address + c->offset, c->flip);
        }
    }
    return is_isatap(address) ? judge_carried(address + 12, 0) : GUARD_PUBLIC;
}

enum guard_rule
guard_judge(const struct sockaddr *address, size_t len)
{
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;

    if (address->sa_family == AF_INET && len >= sizeof(in4)) {
        memcpy(&in4, address, sizeof(in4));
        return judge4((const uint8_t *)&in4.sin_addr);
    }
    if (address->sa_family == AF_INET6 && len >= sizeof(in6)) {
        memcpy(&in6, address, sizeof(in6));
        return judge6(in6.sin6_addr.s6_addr);
    }
    return GUARD_RESERVED;
}

void
guard_text(const struct sockaddr *address, size_t len,
           char out[GUARD_TEXT_BYTES])
{
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
    const char *text = NULL;

    if (address->sa_family == AF_INET && len >= sizeof(in4)) {
        memcpy(&in4, address, sizeof(in4));
        text = inet_ntop(AF_INET, &in4.sin_addr, out, GUARD_TEXT_BYTES);
    } else if (address->sa_family == AF_INET6 && len >= sizeof(in6)) {
        memcpy(&in6, address, sizeof(in6));
        text = inet_ntop(AF_INET6, &in6.sin6_addr, out, GUARD_TEXT_BYTES);
    }
    if (text == NULL) {
        (void)snprintf(out, GUARD_TEXT_BYTES, "?");
    }
}

enum ag_err
guard_judge_text(const char *address, enum guard_rule *ret)
{
    uint8_t bytes[V6_BYTES];

    if (inet_pton(AF_INET, address, bytes) == 1) {
        *ret = judge4(bytes);
        return AG_OK;
    }
    if (inet_pton(AF_INET6, address, bytes) == 1) {
        *ret = judge6(bytes);
        return AG_OK;
    }
    return AG_EINVAL;
}

/* ---- hosts as they are written ---- */

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_name_char(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
}

/* Labels of 1 to 63 characters, no dot at either end. */
static bool
is_name(const char *text)
{
    size_t label = 0;

    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '.') {
            if (label == 0) {
                return false;
            }
            label = 0;
        } else if (!is_name_char(*c) || ++label > LABEL_MAX_BYTES) {
            return false;
        }
    }
    return label > 0;
}

/* The WHATWG's rule: a last label of digits, or one that begins with 0x, makes
 * the whole an address for somebody's parser. */
static bool
ends_in_number(const char *text)
{
    const char *last = strrchr(text, '.');

    last = last == NULL ? text : last + 1;
    if (last[0] == '0' && last[1] == 'x') {
        return true;
    }
    for (; *last != '\0'; last++) {
        if (!is_digit(*last)) {
            return false;
        }
    }
    return true;
}

static enum ag_err
copy_lower(struct span host, struct guard_host *ret)
{
    if (host.len == 0 || host.len > GUARD_HOST_MAX_BYTES) {
        return err_why(AG_EINVAL, "the host must have 1 to %d bytes",
                       (int)GUARD_HOST_MAX_BYTES);
    }
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.ptr[i];

        if (c <= ' ' || c >= 0x7f) {
            return err_why(AG_EINVAL, "the host has a byte that no host has");
        }
        ret->text[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    ret->text[host.len] = '\0';
    return AG_OK;
}

/* "[…]" or bare; kept with brackets, and written as the system writes it. */
static enum ag_err
read_v6(struct guard_host *host)
{
    char inner[GUARD_TEXT_BYTES];
    uint8_t bytes[V6_BYTES];
    size_t len = strlen(host->text);
    bool brackets =
        len >= 2 && host->text[0] == '[' && host->text[len - 1] == ']';
    size_t inner_len = brackets ? len - 2 : len;

    if (inner_len >= sizeof(inner)) {
        return err_why(AG_EINVAL, "the host is not an IPv6 address");
    }
    memcpy(inner, host->text + (brackets ? 1 : 0), inner_len);
    inner[inner_len] = '\0';
    if (inet_pton(AF_INET6, inner, bytes) != 1) {
        return err_why(AG_EINVAL, "the host is not an IPv6 address");
    }
    (void)inet_ntop(AF_INET6, bytes, inner, sizeof(inner));
    (void)snprintf(host->text, sizeof(host->text), "[%s]", inner);
    host->is_address = true;
    host->rule = judge6(bytes);
    return AG_OK;
}

enum ag_err
guard_read_host(struct span host, struct guard_host *ret)
{
    struct guard_host read = {.rule = GUARD_PUBLIC};
    uint8_t bytes[V4_BYTES];
    enum ag_err err = copy_lower(host, &read);

    if (err == AG_OK && strpbrk(read.text, "[]:") != NULL) {
        err = read_v6(&read);
    } else if (err == AG_OK && !is_name(read.text)) {
        err = err_why(AG_EINVAL, "the host is not a name or address");
    } else if (err == AG_OK && ends_in_number(read.text)) {
        /* inet_pton() takes four decimal numbers without leading zeros. */
        if (inet_pton(AF_INET, read.text, bytes) != 1) {
            return err_why(AG_EADDRESS,
                           "%s is an address in a spelling that is not taken; "
                           "write four decimal numbers",
                           read.text);
        }
        read.is_address = true;
        read.rule = judge4(bytes);
    }
    if (err == AG_OK) {
        *ret = read;
    }
    return err;
}

/* Behind the last colon, if that is not within brackets. */
static bool
split_port(struct span text, struct span *host, struct span *port)
{
    size_t at = text.ptr == NULL ? 0 : text.len;

    while (at > 0 && text.ptr[at - 1] != ':' && text.ptr[at - 1] != ']') {
        at--;
    }
    if (at == 0 || text.ptr[at - 1] == ']') {
        *host = text;
        return false;
    }
    *host = span_sub(text, 0, at - 1);
    *port = span_sub(text, at, text.len);
    return true;
}

enum ag_err
guard_read_authority(struct span text, struct guard_host *ret,
                     uint16_t *ret_port)
{
    struct guard_host read = {0};
    struct span host = {0};
    struct span port = {0};
    uint64_t number = 0;
    bool has_port = split_port(text, &host, &port);
    enum ag_err err = AG_OK;

    if (has_port &&
        (parse_u64(port, UINT16_MAX, &number) != AG_OK || number == 0)) {
        return err_why(AG_EINVAL, "the port must be a number from 1 to 65535");
    }
    if (span_find(host, ':') < host.len && !span_starts(host, span_str("["))) {
        return err_why(AG_EINVAL, "an IPv6 address stands in brackets");
    }
    err = guard_read_host(host, &read);
    if (err == AG_OK) {
        *ret = read;
        *ret_port = (uint16_t)number;
    }
    return err;
}

void
guard_write_authority(const struct guard_host *host, uint16_t port,
                      uint16_t usual, char out[GUARD_AUTHORITY_BYTES])
{
    if (port == usual) {
        (void)snprintf(out, GUARD_AUTHORITY_BYTES, "%s", host->text);
    } else {
        (void)snprintf(out, GUARD_AUTHORITY_BYTES, "%s:%u", host->text,
                       (unsigned)port);
    }
}

enum ag_err
guard_authority_key(struct span text, uint16_t usual,
                    char out[GUARD_AUTHORITY_BYTES])
{
    struct guard_host host = {0};
    uint16_t port = 0;
    enum ag_err err = guard_read_authority(text, &host, &port);

    if (err == AG_OK) {
        guard_write_authority(&host, port == 0 ? usual : port, usual, out);
    }
    return err;
}
