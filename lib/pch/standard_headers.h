// SPDX-License-Identifier: LGPL-2.1-or-later
// What most sources include, compiled once for each library (-Db_pch=true). Sources include what
// they use all the same: without that option nothing comes from here. Only the compiler includes
// this.
#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gio/gio.h>
