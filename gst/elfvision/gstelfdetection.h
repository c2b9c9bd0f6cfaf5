/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The detections of a frame, for apps in C, C++ and, by GObject introspection, other languages. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/**
 * GST_ELF_ALL_STAGES:
 *
 * In place of a stage: the detections of all stages.
 */
#define GST_ELF_ALL_STAGES (-1)

#define GST_TYPE_ELF_DETECTION (gst_elf_detection_get_type())

/**
 * GstElfDetection:
 *
 * One detected or coasted object in a frame. It never changes, does not need its buffer or message,
 * and may be used by any thread. All places are in pixels of the frame.
 */
typedef struct _GstElfDetection GstElfDetection;

GType gst_elf_detection_get_type(void);

/**
 * gst_elf_buffer_get_detections:
 * @buffer: a frame behind elfoffload. Behind elfmerge it also has the detections of
 *     `report-missed`
 * @stage: the stage, from 0 on, whose detections to return, or #GST_ELF_ALL_STAGES
 *
 * The detections in a frame, the strongest first. Those of earlier stages come before those of
 * later ones.
 *
 * Returns: (transfer full) (element-type GstElfDetection): the detections. %NULL, an empty list, if
 *     nothing was found, and for a buffer that was not through Elf
 */
GList* gst_elf_buffer_get_detections(GstBuffer* buffer, gint stage);

/**
 * gst_elf_message_get_detections:
 * @message: a message `elf-result` of elfmerge
 * @stage: the stage, from 0 on, whose detections to return, or #GST_ELF_ALL_STAGES
 *
 * The detections that a message reports, in the same order as those of a buffer.
 *
 * Returns: (transfer full) (element-type GstElfDetection): the detections. %NULL, an empty list, if
 *     nothing was found, and for another message
 */
GList* gst_elf_message_get_detections(GstMessage* message, gint stage);

/**
 * gst_elf_detection_ref:
 * @detection: a detection
 *
 * Adds a reference.
 *
 * Returns: (transfer full): the same detection
 */
GstElfDetection* gst_elf_detection_ref(GstElfDetection* detection);

/**
 * gst_elf_detection_unref:
 * @detection: (transfer full): a detection
 *
 * Removes a reference. The last one frees the detection.
 */
void gst_elf_detection_unref(GstElfDetection* detection);

/**
 * gst_elf_detection_get_label:
 * @detection: a detection
 *
 * The name of its class.
 *
 * Returns: (transfer none): the name; empty if the model has no names
 */
const gchar* gst_elf_detection_get_label(const GstElfDetection* detection);

/**
 * gst_elf_detection_get_label_id:
 * @detection: a detection
 *
 * The number of its class.
 *
 * Returns: the model's number
 */
gint64 gst_elf_detection_get_label_id(const GstElfDetection* detection);

/**
 * gst_elf_detection_get_score:
 * @detection: a detection
 *
 * How sure the model is.
 *
 * Returns: the model's score. Larger is surer; the range is the model's own
 */
gdouble gst_elf_detection_get_score(const GstElfDetection* detection);

/**
 * gst_elf_detection_get_box:
 * @detection: a detection
 * @x: (out) (optional): the left edge
 * @y: (out) (optional): the upper edge
 * @width: (out) (optional): the width
 * @height: (out) (optional): the height
 *
 * The upright box around the object, inside the frame.
 */
void gst_elf_detection_get_box(const GstElfDetection* detection, gdouble* x, gdouble* y,
                               gdouble* width, gdouble* height);

/**
 * gst_elf_detection_get_identity:
 * @detection: a detection
 *
 * The object that it is. An object keeps its identity from frame to frame. Identities are unique
 * within a stage.
 *
 * Returns: the identity, above 0; 0 if it has none
 */
gint64 gst_elf_detection_get_identity(const GstElfDetection* detection);

/**
 * gst_elf_detection_is_coasted:
 * @detection: a detection
 *
 * Whether no server returned this box for this frame: it was predicted.
 *
 * Returns: %TRUE for a prediction
 */
gboolean gst_elf_detection_is_coasted(const GstElfDetection* detection);

/**
 * gst_elf_detection_is_kept:
 * @detection: a detection
 *
 * Whether this is a copy of what a server found in an earlier frame, because the pixels there have
 * not changed since. A kept detection is not coasted.
 *
 * Returns: %TRUE for a copy
 */
gboolean gst_elf_detection_is_kept(const GstElfDetection* detection);

/**
 * gst_elf_detection_get_stage:
 * @detection: a detection
 *
 * The Elf stage that found it.
 *
 * Returns: the number of Elf stages before that one in the pipeline
 */
gint gst_elf_detection_get_stage(const GstElfDetection* detection);

/**
 * gst_elf_detection_get_server:
 * @detection: a detection
 *
 * The server that found it.
 *
 * Returns: (transfer none) (nullable): its URL; %NULL if coasted
 */
const gchar* gst_elf_detection_get_server(const GstElfDetection* detection);

/**
 * gst_elf_detection_get_mask:
 * @detection: a detection
 * @x: (out) (optional): the first column of the mask
 * @y: (out) (optional): the first row of the mask
 * @width: (out) (optional): columns
 * @height: (out) (optional): rows
 *
 * The pixels of the object. A coasted detection has no mask, and none has after scaling.
 *
 * Returns: (transfer full) (nullable): a byte for each pixel of the rectangle, row by row without
 *     gaps: 1 for a pixel of the object, else 0. %NULL, and a rectangle of zeros, without a mask
 */
GBytes* gst_elf_detection_get_mask(GstElfDetection* detection, gint* x, gint* y, gint* width,
                                   gint* height);

/**
 * gst_elf_detection_get_n_keypoints:
 * @detection: a detection
 *
 * How many joints it has, seen or not.
 *
 * Returns: as many as the model has; 0 if the detection is coasted
 */
guint gst_elf_detection_get_n_keypoints(const GstElfDetection* detection);

/**
 * gst_elf_detection_get_keypoint:
 * @detection: a detection
 * @index: which of the model's joints, below gst_elf_detection_get_n_keypoints()
 * @x: (out) (optional): its column
 * @y: (out) (optional): its row
 * @visibility: (out) (optional): how sure the model is to see it there, 0 to 1. At 0 its place
 *     means nothing
 *
 * One of its joints.
 */
void gst_elf_detection_get_keypoint(const GstElfDetection* detection, guint index, gdouble* x,
                                    gdouble* y, gdouble* visibility);

/**
 * gst_elf_detection_get_rotated_box:
 * @detection: a detection
 * @centre_x: (out) (optional): the column of its centre
 * @centre_y: (out) (optional): the row of its centre
 * @width: (out) (optional): the side along x at an angle of 0
 * @height: (out) (optional): the other side
 * @angle: (out) (optional): radians, clockwise
 *
 * The box at an angle, if the model reports such. It may reach out of the frame. A coasted
 * detection has none.
 *
 * Returns: whether it has one. All numbers are 0 if not
 */
gboolean gst_elf_detection_get_rotated_box(const GstElfDetection* detection, gdouble* centre_x,
                                           gdouble* centre_y, gdouble* width, gdouble* height,
                                           gdouble* angle);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(GstElfDetection, gst_elf_detection_unref)

G_END_DECLS
