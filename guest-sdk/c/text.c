/* Texts, and the few functions of the C library that compilers call by themselves. */
#include "tollgate.h"

/* Below this, a loop is faster than the instruction for whole blocks. */
#define SMALL 32

void *memcpy(void *restrict to, const void *restrict from, size_t length) {
    if (length > SMALL) return __builtin_memcpy(to, from, length);
    for (size_t i = 0; i < length; i++) ((char *)to)[i] = ((const char *)from)[i];
    return to;
}

void *memmove(void *to, const void *from, size_t length) { return __builtin_memmove(to, from, length); }

void *memset(void *at, int byte, size_t length) {
    if (length > SMALL) return __builtin_memset(at, byte, length);
    for (size_t i = 0; i < length; i++) ((char *)at)[i] = (char)byte;
    return at;
}

int memcmp(const void *one, const void *other, size_t length) {
    const uint8_t *a = one, *b = other;
    for (size_t i = 0; i < length; i++)
        if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
    return 0;
}

size_t strlen(const char *string) {
    size_t length = 0;
    while (string[length]) length++;
    return length;
}

tg_text tg_text_of(const char *string) { return (tg_text){ string, strlen(string) }; }

bool tg_equal(tg_text one, tg_text other) {
    return one.length == other.length && memcmp(one.data, other.data, one.length) == 0;
}

bool tg_equal_secret(tg_text one, tg_text other) {
    volatile uint8_t difference = one.length != other.length;
    size_t length = one.length < other.length ? one.length : other.length;
    for (size_t i = 0; i < length; i++) difference |= (uint8_t)(one.data[i] ^ other.data[i]);
    return difference == 0;
}

bool tg_starts_with(tg_text text, tg_text prefix) {
    return text.length >= prefix.length && memcmp(text.data, prefix.data, prefix.length) == 0;
}

ptrdiff_t tg_find(tg_text text, tg_text part) {
    for (size_t at = 0; at + part.length <= text.length; at++)
        if (memcmp(text.data + at, part.data, part.length) == 0) return (ptrdiff_t)at;
    return -1;
}

tg_text tg_slice(tg_text text, size_t from, size_t to) {
    if (to > text.length) to = text.length;
    if (from > to) from = to;
    return (tg_text){ text.data + from, to - from };
}

static bool is_space(char byte) { return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n'; }

tg_text tg_trim(tg_text text) {
    size_t from = 0, to = text.length;
    while (from < to && is_space(text.data[from])) from++;
    while (to > from && is_space(text.data[to - 1])) to--;
    return tg_slice(text, from, to);
}

tg_text tg_lower(tg_text text) {
    char *lower = tg_allocate(text.length + 1);
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.data[i];
        lower[i] = byte >= 'A' && byte <= 'Z' ? (char)(byte + 'a' - 'A') : byte;
    }
    return (tg_text){ lower, text.length };
}

tg_text tg_decimal(int64_t number) {
    char *digits = tg_allocate(21);
    size_t at = 20;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do digits[--at] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0) digits[--at] = '-';
    return (tg_text){ digits + at, 20 - at };
}

tg_text tg_hex(tg_text bytes) {
    char *hex = tg_allocate(bytes.length * 2 + 1);
    for (size_t i = 0; i < bytes.length; i++) {
        uint8_t byte = (uint8_t)bytes.data[i];
        hex[2 * i] = "0123456789abcdef"[byte >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[byte & 15];
    }
    return (tg_text){ hex, bytes.length * 2 };
}

void tg_append(tg_buffer *buffer, tg_text text) {
    size_t needed = buffer->length + text.length + 1;
    if (needed > buffer->capacity) {
        size_t capacity = buffer->capacity * 2 > needed ? buffer->capacity * 2 : needed + 48;
        char *data = tg_allocate(capacity);
        memcpy(data, buffer->data, buffer->length);
        buffer->data = data;
        buffer->capacity = capacity;
    }
    memcpy(buffer->data + buffer->length, text.data, text.length);
    buffer->length += text.length;
    buffer->data[buffer->length] = 0;
}

void tg_append_json(tg_buffer *buffer, tg_text text) {
    tg_append(buffer, TG("\""));
    size_t plain = 0;
    for (size_t i = 0; i < text.length; i++) {
        uint8_t byte = (uint8_t)text.data[i];
        if (byte >= ' ' && byte != '"' && byte != '\\') continue;
        tg_append(buffer, tg_slice(text, plain, i));
        char escape[6] = { '\\', 'u', '0', '0', "0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15] };
        char pair[2] = { '\\', (char)byte };
        tg_append(buffer, byte < ' ' ? (tg_text){ escape, 6 } : (tg_text){ pair, 2 });
        plain = i + 1;
    }
    tg_append(buffer, tg_slice(text, plain, text.length));
    tg_append(buffer, TG("\""));
}

tg_text tg_find_field(tg_fields fields, const char *name) {
    tg_text wanted = tg_text_of(name);
    for (size_t i = 0; i < fields.count; i++)
        if (tg_equal(fields.items[i].name, wanted)) return fields.items[i].value;
    return (tg_text){ 0 };
}
