/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ALLOCSNOOP_TESTS_PLUGIN_H
#define ALLOCSNOOP_TESTS_PLUGIN_H

void plugin_work(int n);

#endif
