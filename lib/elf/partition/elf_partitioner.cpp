// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/partition/elf_partitioner.h"

#include <algorithm>
#include <array>
#include <bit>
#include <bitset>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "elf/partition/atoms.h"
#include "elf/partition/canvases.h"
#include "elf/partition/cutting.h"

namespace elf {

namespace {

/** The maximum number of groups that are tried in every combination. Each more would take three
 * times as long. */
constexpr std::size_t kMostExact = 8;
/** Limits of the time: parts that are tried for each atom, and savings that are made. */
constexpr int kTriesForEachAtom = 10;
constexpr int kMostSavings = 16;

constexpr double kNever = std::numeric_limits<double>::infinity();

/** Atoms that share a part, and that part. */
struct Group {
  std::bitset<kMostAtoms> members;
  Wanted wanted;
  double leastScale = 0;

  Rect rect;
  double scale = 1;
  /** Pixels. */
  double sent = 0, computed = 0;
  /** The model need not shrink the part so far that it may miss an object. */
  bool allowed = true;
};

struct Placed {
  Group group;
  /** Index into Capacity::servers. */
  std::size_t server = 0;
  /** The time of the part on that server. */
  double seconds = 0;
};

/** The work of one server. */
struct Load {
  double seconds = 0;
  int parts = 0;
};

/** The quality of a layout: first the makespan, then the pixels sent. */
struct Score {
  double makespan = kNever;
  double sent = kNever;

  bool betterThan(const Score& other) const {
    const double rounding = 1e-9 * makespan;
    if (makespan < other.makespan - rounding) return true;
    return makespan <= other.makespan + rounding && sent < other.sent - 0.5;
  }
};

/** An unfinished plan. */
struct Layout {
  std::vector<Placed> parts;
  /** By server. */
  std::vector<Load> loads;
  Score score;
};

/** The replacement of a part. */
struct Step {
  /** Index of the part. The number of parts means a new one. */
  std::size_t at = 0;
  /** Null: removes the part. */
  const Group* group = nullptr;
  std::size_t server = 0;
};

/** The best change of a layout so far: two steps, on at most two servers. */
struct Change {
  Score score;
  std::array<std::size_t, 2> at{};
  std::array<Placed, 2> by;
};

class Planner {
 public:
  explicit Planner(const PartitionInput& input)
      : input_(input),
        capacity_(input.capacity),
        rules_(input.capacity.rules),
        atoms_(atomsOf(input)) {
    for (const int server : usableServers(capacity_))
      servers_.push_back(static_cast<std::size_t>(server));
    absorbAtoms();
  }

  Plan plan() {
    if (atoms_.empty()) return {};
    std::vector<Group> singles;
    for (std::size_t i = 0; i < atoms_.size(); ++i) singles.push_back(single(i));
    Layout layout = merge(singles, servers_);
    const double least = leastMakespan(singles);
    tries_ = kTriesForEachAtom * static_cast<int>(atoms_.size());
    do speedUp(layout);
    while (layout.score.makespan > least && replanTwo(layout));
    savePixels(layout);
    return planOf(layout);
  }

 private:
  // --- Atoms

  /** An atom inside another one is planned with that one, whose part shows it anyway. */
  void absorbAtoms() {
    for (Atom& outer : atoms_) {
      if (outer.rps.empty() || !groupOf({}, outer.wanted, outer.leastScale).allowed) continue;
      for (Atom& inner : atoms_) {
        if (&inner == &outer || inner.leastScale > outer.leastScale ||
            !contains(outer.wanted, inner.wanted))
          continue;
        outer.rps.insert(outer.rps.end(), inner.rps.begin(), inner.rps.end());
        inner.rps.clear();
      }
    }
    std::erase_if(atoms_, [](const Atom& atom) { return atom.rps.empty(); });
  }

  // --- Parts ---

  Group groupOf(const std::bitset<kMostAtoms>& members, const Wanted& wanted, double leastScale) {
    --tries_;
    Group group{members, wanted, leastScale};
    // A part smaller than the model's fixed size would only be scaled up again.
    group.scale = input_.scale && rules_.fixedSize.empty() ? sentScale(leastScale) : 1;
    group.rect = cutFor(wanted, group.scale, rules_, input_.frame, input_.pixelAspect);
    if (const double fits = rules_.inputScale(input_.squareSize(group.rect)); fits < group.scale) {
      group.rect = cutFor(wanted, fits, rules_, input_.frame, input_.pixelAspect);
      group.scale = std::min(fits, rules_.inputScale(input_.squareSize(group.rect)));
      group.allowed = group.scale >= leastScale;
    }
    const Size sent = input_.squareSize(group.rect).scaled(group.scale);
    group.sent = sent.area();
    group.computed = rules_.inputSize(sent).area();
    return group;
  }

  Group single(std::size_t atom) {
    std::bitset<kMostAtoms> members;
    members.set(atom);
    return groupOf(members, atoms_[atom].wanted, atoms_[atom].leastScale);
  }

  Group merged(const Group& a, const Group& b) {
    return groupOf(a.members | b.members, unite(a.wanted, b.wanted),
                   std::max(a.leastScale, b.leastScale));
  }

  /** `group` must have other members, too. */
  Group without(const Group& group, std::size_t atom) {
    std::bitset<kMostAtoms> members = group.members;
    members.reset(atom);
    Wanted wanted;
    double scale = 0;
    for (std::size_t i = 0; i < atoms_.size(); ++i) {
      if (!members[i]) continue;
      wanted = scale == 0 ? atoms_[i].wanted : unite(wanted, atoms_[i].wanted);
      scale = std::max(scale, atoms_[i].leastScale);
    }
    return groupOf(members, wanted, scale);
  }

  double seconds(const Group& group, std::size_t server) const {
    return capacity_.servers[server].seconds(group.sent, group.computed);
  }

  /** A lower bound of merged(a, b).computed, if that is allowed. It takes less time. */
  double computedAtLeast(const Group& a, const Group& b) const {
    if (!rules_.fixedSize.empty()) return rules_.fixedSize.area();
    const double least = std::max(a.leastScale, b.leastScale);
    // A part larger than the model's maxSize is shrunk to any scale down to the least.
    double scale = input_.scale ? sentScale(least) : 1;
    if (!rules_.maxSize.empty()) scale = least;
    return input_.squareSize(unite(a.wanted.shares, b.wanted.shares)).area() * scale * scale;
  }

  // --- Whole layouts ---

  Layout layoutOf(std::vector<Placed> parts) const {
    Layout layout{std::move(parts), {}, {0, 0}};
    layout.loads.reserve(capacity_.servers.size());
    for (const ServerState& server : capacity_.servers) layout.loads.push_back({server.busy, 0});
    for (Placed& part : layout.parts) {
      part.seconds = seconds(part.group, part.server);
      Load& load = layout.loads[part.server];
      load.seconds += part.seconds;
      ++load.parts;
      layout.score.makespan = std::max(layout.score.makespan, load.seconds);
      layout.score.sent += part.group.sent;
    }
    return layout;
  }

  /** No plan is faster than the slowest atom alone on the best server for it. */
  double leastMakespan(const std::vector<Group>& singles) const {
    double slowest = 0;
    for (const Group& group : singles) {
      double fastest = kNever;
      for (const std::size_t s : servers_)
        fastest = std::min(fastest, capacity_.servers[s].busy + seconds(group, s));
      slowest = std::max(slowest, fastest);
    }
    return slowest * (1 + 1e-9);
  }

  /** Places the largest first, each on the server that finishes it first. */
  Layout spread(const std::vector<Group>& groups, const std::vector<std::size_t>& servers) const {
    std::vector<const Group*> order;
    order.reserve(groups.size());
    for (const Group& group : groups) order.push_back(&group);
    std::sort(order.begin(), order.end(), [](const Group* a, const Group* b) {
      return a->computed != b->computed ? a->computed > b->computed : a < b;
    });
    std::vector<double> done;
    for (const std::size_t s : servers) done.push_back(capacity_.servers[s].busy);
    std::vector<Placed> parts;
    parts.reserve(groups.size());
    for (const Group* group : order) {
      std::size_t best = 0;
      double first = kNever;
      for (std::size_t i = 0; i < servers.size(); ++i) {
        const double then = done[i] + seconds(*group, servers[i]);
        if (then < first) {
          first = then;
          best = i;
        }
      }
      done[best] = first;
      parts.push_back({*group, servers[best]});
    }
    return layoutOf(std::move(parts));
  }

  /** Whether one of the servers infers both together sooner than one after the other. */
  bool pays(const Group& both, const Group& a, const Group& b,
            const std::vector<std::size_t>& servers) const {
    return std::any_of(servers.begin(), servers.end(), [&](std::size_t s) {
      return seconds(both, s) < seconds(a, s) + seconds(b, s);
    });
  }

  /**
   * Merges two groups at a time, those that add the fewest computed pixels, as long as that pays.
   * Spreads the groups after each merger. Tries all combinations of the last few. Returns the best.
   */
  Layout merge(std::vector<Group> groups, const std::vector<std::size_t>& servers) {
    if (groups.size() <= kMostExact) return tryAll(groups, servers);
    Layout best = spread(groups, servers);
    // The best partner of a group among those after it.
    struct Partner {
      std::size_t index = 0;
      // The additional pixels that are computed for both together, and then the pixels sent.
      std::pair<double, double> costs{kNever, kNever};
    };
    std::vector<Partner> partners(groups.size());
    const auto compare = [&](std::size_t i, std::size_t j) {
      const double apart = groups[i].computed + groups[j].computed;
      if (computedAtLeast(groups[i], groups[j]) - apart > partners[i].costs.first) return;
      const Group both = merged(groups[i], groups[j]);
      const std::pair costs{both.computed - apart, both.sent};
      if (both.allowed && costs < partners[i].costs) partners[i] = {j, costs};
    };
    const auto findPartner = [&](std::size_t i) {
      partners[i] = {};
      for (std::size_t j = i + 1; j < groups.size(); ++j) compare(i, j);
    };
    for (std::size_t i = 0; i < groups.size(); ++i) findPartner(i);
    while (groups.size() > kMostExact) {
      const auto first =
          std::min_element(partners.begin(), partners.end(),
                           [](const Partner& a, const Partner& b) { return a.costs < b.costs; });
      if (first->costs.first == kNever) return best;
      const auto i = static_cast<std::size_t>(first - partners.begin());
      const std::size_t j = first->index;
      const Group both = merged(groups[i], groups[j]);
      if (!pays(both, groups[i], groups[j], servers)) return best;
      groups[i] = both;
      groups.erase(groups.begin() + static_cast<std::ptrdiff_t>(j));
      partners.erase(partners.begin() + static_cast<std::ptrdiff_t>(j));
      for (std::size_t k = 0; k < groups.size(); ++k) {
        const std::size_t was = partners[k].index;
        if (was > j) --partners[k].index;
        if (k == i || was == i || was == j)
          findPartner(k);
        else if (k < i)
          compare(k, i);
      }
      keepBetter(best, spread(groups, servers));
    }
    keepBetter(best, tryAll(groups, servers));
    return best;
  }

  static void keepBetter(Layout& best, Layout candidate) {
    if (candidate.score.betterThan(best.score)) best = std::move(candidate);
  }

  /**
   * The layout with the smallest makespan of all ways to merge and place the groups: dynamic
   * programming over the sets of groups, one server after the other.
   */
  Layout tryAll(const std::vector<Group>& groups, const std::vector<std::size_t>& servers) {
    const std::size_t sets = std::size_t{1} << groups.size();
    std::vector<Group> parts(sets);
    for (std::size_t set = 1; set < sets; ++set) {
      const Group& last = groups[static_cast<std::size_t>(std::countr_zero(set))];
      const std::size_t others = set & (set - 1);
      parts[set] = others == 0 ? last : merged(parts[others], last);
    }
    // For each set on one server: the part that holds its first group, and the share of the set
    // that this server gets while those before it get the rest.
    struct Choices {
      std::vector<std::size_t> part, share;
    };
    std::vector<Choices> choices;
    // For each set: the makespan on the servers so far, the time as one part, and on one server
    // alone.
    std::vector<double> makespan(sets, kNever), one(sets), alone(sets);
    makespan[0] = 0;
    for (std::size_t i = 0; i < servers.size(); ++i) {
      const std::size_t s = servers[i];
      Choices& chosen = choices.emplace_back(
          Choices{std::vector<std::size_t>(sets), std::vector<std::size_t>(sets)});
      for (std::size_t set = 1; set < sets; ++set) {
        const std::size_t others = set & (set - 1);
        one[set] = others == 0 || parts[set].allowed ? seconds(parts[set], s) : kNever;
        alone[set] = kNever;
        for (std::size_t with = others;; with = (with - 1) & others) {
          const double sum = one[set ^ others ^ with] + alone[others ^ with];
          if (sum < alone[set]) {
            alone[set] = sum;
            chosen.part[set] = set ^ others ^ with;
          }
          if (with == 0) break;
        }
      }
      // From the largest set on, so that smaller ones still lack this server. The first server gets
      // all of each set. For the last one only the whole set matters.
      const std::size_t smallest = i + 1 == servers.size() ? sets - 1 : 1;
      for (std::size_t set = sets - 1; set >= smallest; --set) {
        for (std::size_t share = set; share > 0; share = i == 0 ? 0 : (share - 1) & set) {
          const double done =
              std::max(makespan[set ^ share], capacity_.servers[s].busy + alone[share]);
          if (done < makespan[set]) {
            makespan[set] = done;
            chosen.share[set] = share;
          }
        }
      }
    }
    std::vector<Placed> placed;
    std::size_t left = sets - 1;
    for (std::size_t i = servers.size(); i-- > 0;) {
      std::size_t share = choices[i].share[left];
      left ^= share;
      for (; share > 0; share ^= choices[i].part[share])
        placed.push_back({parts[choices[i].part[share]], servers[i]});
    }
    return layoutOf(std::move(placed));
  }

  // --- Improvement ---

  /** The server that finishes last. */
  static std::size_t criticalServer(const Layout& layout) {
    const auto load = [&](const Placed& part) { return layout.loads[part.server].seconds; };
    return std::max_element(layout.parts.begin(), layout.parts.end(),
                            [&](const Placed& a, const Placed& b) { return load(a) < load(b); })
        ->server;
  }

  /** Makes the two steps the best change if they are. */
  void consider(const Layout& layout, Change& best, const Step& a, const Step& b) const {
    Score score{0, layout.score.sent};
    std::array<std::pair<std::size_t, Load>, 2> touched;
    std::size_t count = 0;
    const auto add = [&](const Group& group, std::size_t server, double took, int sign) {
      std::size_t k = 0;
      while (k < count && touched[k].first != server) ++k;
      if (k == count) touched[count++] = {server, layout.loads[server]};
      touched[k].second.seconds += sign * took;
      touched[k].second.parts += sign;
      score.sent += sign * group.sent;
    };
    for (const Step* step : {&a, &b}) {
      if (step->at < layout.parts.size()) {
        const Placed& was = layout.parts[step->at];
        add(was.group, was.server, was.seconds, -1);
      }
      if (step->group) add(*step->group, step->server, seconds(*step->group, step->server), 1);
    }
    for (std::size_t s = 0; s < layout.loads.size(); ++s) {
      const Load* load = &layout.loads[s];
      for (std::size_t k = 0; k < count; ++k)
        if (touched[k].first == s) load = &touched[k].second;
      if (load->parts > 0) score.makespan = std::max(score.makespan, load->seconds);
    }
    if (!score.betterThan(best.score)) return;
    best = {score, {a.at, b.at}, {}};
    if (a.group) best.by[0] = {*a.group, a.server};
    if (b.group) best.by[1] = {*b.group, b.server};
  }

  /** Whether a change may be the best if a server finishes after `seconds`. */
  static bool hopeful(double seconds, const Change& best) {
    return seconds <= best.score.makespan * (1 + 1e-9);
  }

  /** Tries another server for a whole part, or an exchange with another server's part. */
  void tryServers(const Layout& layout, std::size_t p, Change& best) const {
    const Placed& part = layout.parts[p];
    for (const std::size_t s : servers_)
      if (s != part.server && hopeful(layout.loads[s].seconds + seconds(part.group, s), best))
        consider(layout, best, {p, &part.group, s}, {layout.parts.size(), nullptr, 0});
    for (std::size_t q = 0; q < layout.parts.size(); ++q) {
      const Placed& other = layout.parts[q];
      const double kept = layout.loads[other.server].seconds - other.seconds;
      if (other.server != part.server && hopeful(kept + seconds(part.group, other.server), best))
        consider(layout, best, {p, &part.group, other.server}, {q, &other.group, part.server});
    }
  }

  /** Tries another part for each member of a part, or a part of its own on any server. */
  void tryMembers(const Layout& layout, std::size_t p, Change& best) {
    const Placed& part = layout.parts[p];
    const bool several = part.group.members.count() > 1;
    for (std::size_t atom = 0; atom < atoms_.size(); ++atom) {
      if (!part.group.members[atom]) continue;
      const Group alone = several ? single(atom) : part.group;
      const Group rest = several ? without(part.group, atom) : Group{};
      const Step remains{p, several ? &rest : nullptr, part.server};
      const double gained = part.seconds - (several ? seconds(rest, part.server) : 0);
      const auto kept = [&](std::size_t s) {
        return layout.loads[s].seconds - (s == part.server ? gained : 0);
      };
      for (std::size_t q = 0; q < layout.parts.size(); ++q) {
        if (q == p) continue;
        const Placed& other = layout.parts[q];
        const ServerState& server = capacity_.servers[other.server];
        const double more = server.seconds(0, computedAtLeast(other.group, alone)) - other.seconds;
        if (!hopeful(kept(other.server) + more, best)) continue;
        const Group both = merged(other.group, alone);
        if (both.allowed) consider(layout, best, remains, {q, &both, other.server});
      }
      if (!several) continue;
      for (const std::size_t s : servers_)
        if (hopeful(kept(s) + seconds(alone, s), best))
          consider(layout, best, remains, {layout.parts.size(), &alone, s});
    }
  }

  /** False if the change improves nothing. */
  bool make(const Change& change, Layout& layout) const {
    if (!change.score.betterThan(layout.score)) return false;
    std::vector<Placed> parts = std::move(layout.parts);
    parts.emplace_back();
    for (std::size_t k = 0; k < change.at.size(); ++k) parts[change.at[k]] = change.by[k];
    std::erase_if(parts, [](const Placed& part) { return part.group.members.none(); });
    layout = layoutOf(std::move(parts));
    return true;
  }

  /** Makes the best change to the critical server's parts until none is left. */
  void speedUp(Layout& layout) {
    for (Change best{layout.score}; tries_ > 0; best = {layout.score}) {
      const std::size_t critical = criticalServer(layout);
      for (std::size_t p = 0; p < layout.parts.size(); ++p) {
        if (layout.parts[p].server != critical) continue;
        tryServers(layout, p, best);
        tryMembers(layout, p, best);
      }
      if (!make(best, layout)) return;
    }
  }

  /** The same for all other servers: this makes nothing faster, but less may be sent. */
  void savePixels(Layout& layout) {
    for (int saving = 0; saving < kMostSavings; ++saving) {
      Change best{layout.score};
      const std::size_t critical = criticalServer(layout);
      for (std::size_t p = 0; p < layout.parts.size(); ++p)
        if (layout.parts[p].server != critical) tryMembers(layout, p, best);
      if (!make(best, layout)) return;
    }
  }

  /** Plans the parts of the critical server and another one anew. False if that gains nothing. */
  bool replanTwo(Layout& layout) {
    const std::size_t critical = criticalServer(layout);
    for (const std::size_t s : servers_) {
      if (s == critical) continue;
      if (tries_ <= 0) return false;
      std::vector<Placed> parts;
      std::vector<Group> singles;
      for (const Placed& part : layout.parts) {
        if (part.server != s && part.server != critical) {
          parts.push_back(part);
          continue;
        }
        for (std::size_t atom = 0; atom < atoms_.size(); ++atom)
          if (part.group.members[atom]) singles.push_back(single(atom));
      }
      const Layout two = merge(std::move(singles), {critical, s});
      parts.insert(parts.end(), two.parts.begin(), two.parts.end());
      Layout candidate = layoutOf(std::move(parts));
      speedUp(candidate);
      if (candidate.score.betterThan(layout.score)) {
        layout = std::move(candidate);
        return true;
      }
    }
    return false;
  }

  // --- The plan ---

  Plan planOf(const Layout& layout) const {
    Plan plan;
    for (const Placed& placed : layout.parts) {
      Part& part = plan.parts.emplace_back();
      part.rect = placed.group.rect;
      part.scale = placed.group.scale;
      part.pixelAspect = input_.pixelAspect;
      part.kind = PartKind::Rp;
      part.server = static_cast<int>(placed.server);
      for (std::size_t atom = 0; atom < atoms_.size(); ++atom)
        if (placed.group.members[atom])
          part.rps.insert(part.rps.end(), atoms_[atom].rps.begin(), atoms_[atom].rps.end());
      std::sort(part.rps.begin(), part.rps.end());
    }
    std::sort(plan.parts.begin(), plan.parts.end(),
              [](const Part& a, const Part& b) { return a.rps.front() < b.rps.front(); });
    setMakespan(plan, capacity_);
    return plan;
  }

  const PartitionInput& input_;
  const Capacity& capacity_;
  const ModelRules& rules_;
  /** The servers that may get parts, as indices into Capacity::servers. */
  std::vector<std::size_t> servers_;
  std::vector<Atom> atoms_;
  /** Parts that may still be tried. */
  int tries_ = 0;
};

}  // namespace

Plan ElfPartitioner::plan(const PartitionInput& input) const {
  if (takesCanvases(input.capacity.rules)) return planCanvases(input);
  return joinedInCanvases(Planner(input).plan(), input);
}

}  // namespace elf
