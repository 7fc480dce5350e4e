// SPDX-License-Identifier: GPL-2.0-or-later

//go:build goexperiment.runtimefreegc
// +build goexperiment.runtimefreegc

// Nothing: a package with assembly may declare functions without a body.
