/* SPDX-License-Identifier: MIT
 *
 * WebSocket frames (RFC 6455, 5) and the UTF-8 of text messages.
 *
 *   FIN RSV opcode | MASK length7 | length16 or 64 | key, if masked | payload
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum websocket_opcode {
    WEBSOCKET_CONTINUATION = 0,
    WEBSOCKET_TEXT = 1,
    WEBSOCKET_BINARY = 2,
    WEBSOCKET_CLOSE = 8, /* this one and those above: control frames, which may stand between the frames of a message */
    WEBSOCKET_PING = 9,
    WEBSOCKET_PONG = 10,
};

enum {
    WEBSOCKET_HEAD_MAX = 14,     /* bytes before a payload */
    WEBSOCKET_CONTROL_MAX = 125, /* bytes of a control frame's payload */
};

/* The codes of a close frame that say what is wrong. */
enum websocket_fault {
    WEBSOCKET_PROTOCOL_ERROR = 1002,
    WEBSOCKET_NOT_UTF8 = 1007,
    WEBSOCKET_TOO_LARGE = 1009,
};

typedef struct websocket_frame {
    uint64_t length; /* of the payload */
    uint8_t size;    /* bytes before it */
    uint8_t opcode;
    bool final; /* the last frame of its message */
    uint8_t key[4];
} websocket_frame;

/* Reads what stands before a payload: its size; 0: more has to come; negative: -enum websocket_fault. masked: what the
 * frame must be, as those of a client are, and no others. in_message: a message is under way, whose next frame continues
 * it. room: bytes that its payload may have. */
int websocket_frame_read(websocket_frame *, const char *bytes, size_t n, bool masked, bool in_message, uint64_t room);
/* Writes it to head[WEBSOCKET_HEAD_MAX]: its size. key: NULL: not masked. */
size_t websocket_frame_write(char *head, enum websocket_opcode, bool final, uint64_t length, const uint8_t key[4]);

/* Masks bytes of a payload, or takes the mask away, in place. They stand at this offset in the payload. */
void websocket_mask(char *bytes, size_t n, const uint8_t key[4], uint64_t offset);

/* What has been seen of a text: zero at its beginning. */
typedef struct utf8_state {
    uint8_t left;      /* bytes that the character under way still has */
    uint8_t low, high; /* between which the next of them is */
} utf8_state;

/* Whether the text may go on with these bytes. It is whole, if it ends here, when `left` is 0. */
bool utf8_advance(utf8_state *, const char *bytes, size_t n);
/* Whether a close frame may carry this code. */
bool websocket_is_close_code(unsigned code);
