/* What cppcheck must know of <sys/queue.h>, which it does not read. */
#define QUEUE_HEAD(name, type)                                                 \
    struct name {                                                              \
        struct type *first;                                                    \
    }
#define QUEUE_FOREACH(var, head, field)                                        \
    for ((var) = (head)->first; (var) != NULL; (var) = (var)->next_of_it)
#define LIST_HEAD(name, type)            QUEUE_HEAD(name, type)
#define SLIST_HEAD(name, type)           QUEUE_HEAD(name, type)
#define STAILQ_HEAD(name, type)          QUEUE_HEAD(name, type)
#define TAILQ_HEAD(name, type)           QUEUE_HEAD(name, type)
#define LIST_FOREACH(var, head, field)   QUEUE_FOREACH(var, head, field)
#define SLIST_FOREACH(var, head, field)  QUEUE_FOREACH(var, head, field)
#define STAILQ_FOREACH(var, head, field) QUEUE_FOREACH(var, head, field)
#define TAILQ_FOREACH(var, head, field)  QUEUE_FOREACH(var, head, field)
