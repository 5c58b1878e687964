//! Which mentions are of the same entity, and which others stand for it.

use std::collections::HashMap;

use super::joined::Joined;
use crate::Span;

/// Groups mentions by name: the same tokens under the same label, and a single token that is the
/// last of a longer name before it ("Schneider" after "Willi Schneider").
fn name_groups(mentions: &[(Span, usize)], keys: &[i64]) -> Vec<usize> {
    let mut by_name: HashMap<(&[i64], usize), usize> = HashMap::new();
    let mut by_last: HashMap<(i64, usize), usize> = HashMap::new();
    let mut order: Vec<usize> = (0..mentions.len()).collect();
    order.sort_by_key(|&m| mentions[m].0);
    let mut groups = vec![0; mentions.len()];
    for (next, m) in order.into_iter().enumerate() {
        let (span, label) = mentions[m];
        let name = &keys[span.first..span.last];
        let last = (name[name.len() - 1], label);
        let alias = if name.len() == 1 { by_last.get(&last).copied() } else { None };
        let group = *by_name.entry((name, label)).or_insert(alias.unwrap_or(next));
        if name.len() > 1 {
            by_last.insert(last, group);
        }
        groups[m] = group;
    }
    groups
}

/// Joins the groups of mentions of one type that a cluster joins.
fn join_clusters(groups: &mut [usize], mentions: &[(Span, usize)], clusters: &[Vec<Span>]) {
    let most = groups.iter().max().map_or(0, |most| most + 1);
    let mut joined = Joined::new(most);
    let mut first: HashMap<(usize, usize), usize> = HashMap::new();
    for (m, cluster) in clusters_of(mentions, clusters).enumerate() {
        let Some(cluster) = cluster else { continue };
        joined.join(groups[m], groups[*first.entry((cluster, mentions[m].1)).or_insert(m)]);
    }
    groups.iter_mut().for_each(|group| *group = joined.find(*group));
}

/// The cluster of each mention: that of the mention as it is, or with one more token before it, or where it is
/// in none so, of the shortest that ends with it: "the Norwegian shipbuilder Haldorsen Marine".
fn clusters_of<'a>(
    mentions: &'a [(Span, usize)],
    clusters: &[Vec<Span>],
) -> impl Iterator<Item = Option<usize>> + 'a {
    let spans =
        || clusters.iter().enumerate().flat_map(|(c, spans)| spans.iter().map(move |s| (*s, c)));
    let cluster_of: HashMap<Span, usize> = spans().collect();
    let mut ending: HashMap<usize, Vec<(Span, usize)>> = HashMap::new();
    for (span, cluster) in spans() {
        ending.entry(span.last).or_default().push((span, cluster));
    }
    mentions.iter().map(move |&(span, _)| {
        let longer = span.first.checked_sub(1).map(|first| Span::new(first, span.last));
        let shortest = || {
            let around = ending.get(&span.last)?.iter().filter(|(s, _)| s.first < span.first);
            around.max_by_key(|(s, _)| s.first).map(|(_, cluster)| cluster)
        };
        cluster_of.get(&span).or_else(|| cluster_of.get(&longer?)).or_else(shortest).copied()
    })
}

/// The other mentions of the clusters of some mentions, "she" and "the company", each with the type and the
/// group of those. They are of clusters whose mentions have one type and one group, and overlap none.
pub fn references(
    groups: &[usize],
    mentions: &[(Span, usize)],
    clusters: &[Vec<Span>],
) -> Vec<((Span, usize), usize)> {
    // Of each cluster its first mention; none where others differ from it.
    let mut named: HashMap<usize, Option<usize>> = HashMap::new();
    for (m, cluster) in clusters_of(mentions, clusters).enumerate() {
        let Some(cluster) = cluster else { continue };
        let first = named.entry(cluster).or_insert(Some(m));
        let of = |m: usize| (mentions[m].1, groups[m]);
        *first = first.filter(|&first| of(first) == of(m));
    }
    let mut taken: Vec<Span> = mentions.iter().map(|m| m.0).collect();
    taken.sort_unstable();
    let longest = taken.iter().map(|s| s.last - s.first).max().unwrap_or_default();
    let overlaps = |span: Span| {
        let near = taken.partition_point(|s| s.first + longest <= span.first);
        let mut near = taken[near..].iter().take_while(|s| s.first < span.last);
        near.any(|s| span.first < s.last)
    };
    let mut found = Vec::new();
    for (c, spans) in clusters.iter().enumerate() {
        let Some(&Some(first)) = named.get(&c) else { continue };
        let others = spans.iter().filter(|span| !overlaps(**span));
        found.extend(others.map(|&span| ((span, mentions[first].1), groups[first])));
    }
    found
}

/// Mentions that facts are looked for between, and the entity that each is of: names, then references.
#[derive(Debug)]
pub struct Arguments {
    mentions: Vec<(Span, usize)>,
    entities: Vec<usize>,
    /// How many of the mentions are names.
    names: usize,
    /// The names of each entity that has references, first token and index, in text order.
    of_entity: HashMap<usize, Vec<(usize, usize)>>,
}

impl Arguments {
    /// Each mention is an entity of its own.
    pub fn alone(mentions: &[(Span, usize)]) -> Self {
        let (mentions, names) = (mentions.to_vec(), mentions.len());
        Self { mentions, entities: (0..names).collect(), names, of_entity: HashMap::new() }
    }

    /// Mentions of one name are one entity, and so are those that `clusters` join. `keys` number the tokens, equal
    /// ones alike. The references of entities are taken from `clusters`, if they are wanted.
    pub fn of_entities(
        mentions: &[(Span, usize)],
        keys: &[i64],
        clusters: &[Vec<Span>],
        with_references: bool,
    ) -> Self {
        let mut entities = name_groups(mentions, keys);
        join_clusters(&mut entities, mentions, clusters);
        let mut all = Self { entities, ..Self::alone(mentions) };
        if !with_references {
            return all;
        }
        let found = references(&all.entities, mentions, clusters);
        all.of_entity = found.iter().map(|(_, entity)| (*entity, Vec::new())).collect();
        for (m, (entity, (span, _))) in all.entities.iter().zip(mentions).enumerate() {
            if let Some(names) = all.of_entity.get_mut(entity) {
                names.push((span.first, m));
            }
        }
        all.of_entity.values_mut().for_each(|names| names.sort_unstable());
        for (mention, entity) in found {
            all.mentions.push(mention);
            all.entities.push(entity);
        }
        all
    }

    pub fn mentions(&self) -> &[(Span, usize)] {
        &self.mentions
    }

    /// The entity of each mention.
    pub fn entities(&self) -> &[usize] {
        &self.entities
    }

    pub fn has_references(&self) -> bool {
        self.names < self.mentions.len()
    }

    /// The mention itself if it is a name, else the name of its entity that stands nearest before it, or the first
    /// after it.
    pub fn name(&self, mention: usize) -> usize {
        if mention < self.names {
            return mention;
        }
        let names = &self.of_entity[&self.entities[mention]];
        let before = names.partition_point(|(first, _)| *first <= self.mentions[mention].0.first);
        names[before.saturating_sub(1)].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_is_one_entity_and_its_last_token_alone_too() {
        // Willi Schneider ... Schneider ... Berlin ... Willi Schneider
        let keys = [1, 2, 9, 2, 9, 3, 9, 1, 2];
        let mentions: Vec<_> = [(0, 2), (3, 4), (5, 6), (7, 9)]
            .map(|(first, last)| (Span::new(first, last), 0))
            .to_vec();
        assert_eq!(name_groups(&mentions, &keys), [0, 0, 2, 0]);
    }

    #[test]
    fn clusters_join_names_of_one_type_with_or_without_a_token_before() {
        let mentions = [(1, 3, 0), (4, 5, 0), (6, 7, 1), (8, 9, 0), (10, 11, 0)]
            .map(|(first, last, label)| (Span::new(first, last), label));
        let clusters =
            [vec![Span::new(0, 3), Span::new(4, 5), Span::new(6, 7)], vec![Span::new(6, 9)]];
        // The last two share a name; the cluster joins one of them through the other.
        let mut groups = vec![0, 1, 2, 3, 3];
        join_clusters(&mut groups, &mentions, &clusters);
        assert_eq!(groups, [0, 0, 2, 3, 3]);
        join_clusters(&mut groups, &mentions, &[vec![Span::new(1, 3), Span::new(10, 11)]]);
        assert_eq!(groups, [0, 0, 2, 0, 0]);
    }

    #[test]
    fn a_name_is_in_the_cluster_of_what_ends_with_it_if_in_none_of_its_own() {
        let at = |first: usize, last: usize| Span::new(first, last);
        let mentions = [(3, 5), (8, 9), (14, 15)].map(|(a, b)| (at(a, b), 0));
        let clusters = [
            // "The Norwegian shipbuilder Haldorsen Marine" inside of something longer.
            vec![at(0, 5), at(6, 7)],
            vec![at(1, 5)],
            // "the mayor of Paris", where Paris is a mention itself, and "the Paris" of one more token.
            vec![at(10, 15), at(16, 17)],
            vec![at(14, 15)],
            vec![at(7, 9)],
        ];
        let found: Vec<_> = clusters_of(&mentions, &clusters).collect();
        assert_eq!(found, [Some(1), Some(4), Some(3)]);
        assert_eq!(clusters_of(&mentions, &[vec![at(5, 6)]]).collect::<Vec<_>>(), [None; 3]);
    }

    #[test]
    fn references_are_of_clusters_of_one_type_and_overlap_no_mention() {
        let mentions = [(1, 3, 0), (6, 7, 1), (9, 10, 1), (12, 13, 0)]
            .map(|(first, last, label)| (Span::new(first, last), label));
        let clusters = [
            // "the Maria Berg", "she", and "the friend of Bo" around the second mention.
            vec![Span::new(0, 3), Span::new(4, 5), Span::new(5, 8)],
            // Of two types.
            vec![Span::new(9, 10), Span::new(12, 13), Span::new(14, 15)],
            // Of none.
            vec![Span::new(16, 17), Span::new(18, 19)],
        ];
        let found = references(&[7, 8, 9, 7], &mentions, &clusters);
        assert_eq!(found, [((Span::new(4, 5), 0), 7)]);
        assert!(references(&[], &[], &clusters).is_empty());
    }

    #[test]
    fn a_reference_has_the_nearest_name_of_its_entity_before_it_or_else_the_first() {
        // she Maria Berg left Bo ; he and she saw Maria , she wrote
        let keys = [9, 0, 1, 2, 3, 4, 5, 6, 9, 7, 0, 8, 9, 10];
        let mentions = [(10, 11), (1, 3), (4, 5)].map(|(a, b)| (Span::new(a, b), 0));
        let at = |n: usize| Span::new(n, n + 1);
        let clusters =
            [vec![at(0), Span::new(1, 3), at(8), at(10), at(12)], vec![at(4), at(6)], vec![at(13)]];
        let with = Arguments::of_entities(&mentions, &keys, &clusters, true);
        let places: Vec<usize> = with.mentions()[3..].iter().map(|m| m.0.first).collect();
        assert_eq!(places, [0, 8, 12, 6]);
        let names: Vec<usize> = (0..7).map(|m| with.name(m)).collect();
        assert_eq!(names, [0, 1, 2, 1, 1, 0, 2]);
        let entity = |m: usize| with.entities()[m];
        assert!([0, 3, 4, 5].into_iter().all(|m| entity(m) == entity(1)));
        assert!(entity(2) == entity(6) && entity(2) != entity(1));
        let without = Arguments::of_entities(&mentions, &keys, &clusters, false);
        assert!(!without.has_references() && with.has_references());
        assert_eq!(without.mentions(), mentions);
    }
}
