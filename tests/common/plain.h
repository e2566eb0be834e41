/*
 * plain.h - a newer machine is taken for one without what base/cpu.h asks for.
 */
#ifndef AG_COMMON_PLAIN_H
#define AG_COMMON_PLAIN_H

/* From now on cpu_is_v3() does not hold. Before any other thread. */
void plain_cpu(void);

#endif
