/* What a phone in the same network reaches this box by, and a picture that its camera reads. */
#ifndef EARSHOT_HTTP_LAN_H
#define EARSHOT_HTTP_LAN_H

#include <stddef.h>

/* This machine's address in the network that it sends from, else NAME.local. IPv6 stands in brackets. */
void lan_host(const char *host_name, char *out, size_t size);

/* A QR code (ISO/IEC 18004) as SVG, with its quiet zone; malloc'ed, NULL: no memory, or the text is too long. */
char *lan_qr(const char *text);

#endif
