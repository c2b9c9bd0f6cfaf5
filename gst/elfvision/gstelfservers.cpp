// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/elfvision/gstelfservers.h"

#include <memory>
#include <string>

#include "gst/elfvision/gstelfboxed.h"
#include "gst/elfvision/gstelfref.h"

namespace elf::gst {

namespace {

constexpr const char* kPool = "pool";

/** For programs that print the context, such as gst-launch-1.0 -m. */
void tellServers(const GValue* pool, GValue* text) {
  std::string urls;
  for (const std::string& url : (*static_cast<ServerPoolPtr*>(g_value_get_boxed(pool)))->urls())
    // The text behind # is the name by which an address was found.
    urls += (urls.empty() ? "" : ",") + url.substr(0, url.find('#'));
  g_value_set_string(text, urls.c_str());
}

GType poolType() {
  static const GType type = [] {
    const GType made = boxedType<ServerPoolPtr>("GstElfServers");
    g_value_register_transform_func(made, G_TYPE_STRING, tellServers);
    return made;
  }();
  return type;
}

/** The pool of the element's own context. Null if it has none. */
ServerPoolPtr poolOf(GstElement* element) {
  const Ref<GstContext> context(gst_element_get_context(element, kServersContext));
  return context ? parseServersContext(context.get()) : nullptr;
}

gboolean askPeer(GstElement*, GstPad* pad, gpointer query) {
  return !gst_pad_peer_query(pad, static_cast<GstQuery*>(query));
}

/** Takes the context of a neighbouring element, if one has it. */
void askNeighbours(GstElement* element) {
  const Ref<GstQuery> query(gst_query_new_context(kServersContext));
  // Both return false if a peer has answered.
  if (gst_element_foreach_src_pad(element, askPeer, query.get()) &&
      gst_element_foreach_sink_pad(element, askPeer, query.get()))
    return;
  GstContext* context = nullptr;
  gst_query_parse_context(query.get(), &context);
  if (context) gst_element_set_context(element, context);
}

}  // namespace

GstContext* newServersContext(const ServerPoolPtr& pool) {
  GstContext* context = gst_context_new(kServersContext, TRUE);
  setBoxed(gst_context_writable_structure(context), kPool, poolType(), pool);
  return context;
}

ServerPoolPtr parseServersContext(const GstContext* context) {
  if (!gst_context_has_context_type(context, kServersContext)) return nullptr;
  return getBoxed<ServerPoolPtr>(gst_context_get_structure(context), kPool, poolType());
}

ServerPoolPtr findServers(GstElement* element) {
  if (ServerPoolPtr pool = poolOf(element)) return pool;
  askNeighbours(element);
  if (ServerPoolPtr pool = poolOf(element)) return pool;
  gst_element_post_message(element,
                           gst_message_new_need_context(GST_OBJECT(element), kServersContext));
  if (ServerPoolPtr pool = poolOf(element)) return pool;
  auto pool = std::make_shared<ServerPool>();
  GstContext* context = newServersContext(pool);
  gst_element_set_context(element, context);
  gst_element_post_message(element, gst_message_new_have_context(GST_OBJECT(element), context));
  return pool;
}

bool answerServersQuery(GstElement* element, GstQuery* query) {
  const gchar* type = nullptr;
  if (GST_QUERY_TYPE(query) != GST_QUERY_CONTEXT || !gst_query_parse_context_type(query, &type) ||
      g_strcmp0(type, kServersContext) != 0)
    return false;
  const Ref<GstContext> context(gst_element_get_context(element, kServersContext));
  if (context) gst_query_set_context(query, context.get());
  return context != nullptr;
}

}  // namespace elf::gst
