/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pipelines from `.pipeline` files (docs/pipeline-files.md), for apps in C, C++ and, by GObject
 * introspection, other languages. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_ELF_PIPELINE_ERROR (gst_elf_pipeline_error_quark())
GQuark gst_elf_pipeline_error_quark(void);

/**
 * GstElfPipelineError:
 * @GST_ELF_PIPELINE_ERROR_NOT_FOUND: no such file
 * @GST_ELF_PIPELINE_ERROR_FILE: the file does not follow docs/pipeline-files.md
 * @GST_ELF_PIPELINE_ERROR_VARIABLE: an assignment names no variable of the file, a variable has no
 *     value, or the value can't stand where the launch line uses it
 * @GST_ELF_PIPELINE_ERROR_LAUNCH: GStreamer can't make a pipeline from the launch line, or a
 *     property does not accept its value
 */
typedef enum {
  GST_ELF_PIPELINE_ERROR_NOT_FOUND,
  GST_ELF_PIPELINE_ERROR_FILE,
  GST_ELF_PIPELINE_ERROR_VARIABLE,
  GST_ELF_PIPELINE_ERROR_LAUNCH
} GstElfPipelineError;

/**
 * gst_elf_pipeline_new:
 * @name_or_file: the name of a `.pipeline` file (searched for in $ELF_PIPELINE_PATH, in the user's
 *     data directory and where Elf is installed), or a path
 * @assignments: (nullable) (array zero-terminated=1): "key=value" for variables of the file. The
 *     last one for a variable counts
 * @error: one sentence that names the file and the group, key, variable or element
 *
 * Needs gst_init(). May be called from any thread.
 *
 * Returns: (transfer floating) (nullable): a #GstPipeline in state NULL
 */
GstElement* gst_elf_pipeline_new(const char* name_or_file, const char* const* assignments,
                                 GError** error);

G_END_DECLS
