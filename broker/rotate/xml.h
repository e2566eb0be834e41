/*
 * xml.h - the text of elements in a service's XML answer, found by path.
 * Floor: rotate, and only this folder includes it. Depends on: base/span.
 *
 * Strict, and less than XML: elements with text, as AWS's query services answer.
 * Whatever else XML has (a document type, CDATA, comments, entities within a
 * wanted text) is refused. The answer is not copied.
 */
#ifndef AG_ROTATE_XML_H
#define AG_ROTATE_XML_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

enum {
    XML_DEPTH_MAX = 16,
    XML_PATH_BYTES = 512, /* names from the root on, joined by '/' */
};

/*
 * The text of the element number `nth` (from 0) at `path` ("Root/List/member/Id").
 * The whole text is read: what is cut off is AG_EINVAL, not a shorter answer.
 * *ret is borrowed from `text`.
 * Errors: AG_ENOTFOUND there are not so many; AG_EINVAL not such a text.
 */
AG_CHECK AG_NONNULL enum ag_err xml_text(struct span text, const char *path,
                                         size_t nth, struct span *ret);

#endif
