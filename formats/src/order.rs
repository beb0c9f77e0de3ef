//! Sorting with one copy of the sorting code.
//!
//! The standard library's `sort` is compiled anew for every type and every comparison, at 3 to 4 kB each: the stub, with
//! some thirty of them, had 70 kB of sorting in it. Here indexes are sorted, by one copy of the same code, and the items
//! then put into their places. What runs on a target sorts with this.

use std::cmp::Ordering;

/// Sorts in rising order. Equal items stay in their order.
pub fn sort<T: Ord>(items: &mut [T]) {
    sort_by(items, T::cmp);
}

/// Sorts by a comparison. Equal items stay in their order.
pub fn sort_by<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let mut order = indexes(items.len(), &|a, b| compare(&items[a], &items[b]));
    // Each round closes one circle of places that exchange their items.
    for start in 0..order.len() {
        let mut place = start;
        loop {
            let from = std::mem::replace(&mut order[place], place);
            if from == start {
                break;
            }
            items.swap(place, from);
            place = from;
        }
    }
}

/// Sorts by a key, which is made anew for every comparison. Items with equal keys stay in their order.
pub fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(items, |a, b| key(a).cmp(&key(b)));
}

/// The indexes of the items in the order that the items are to have.
fn indexes(len: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    order.sort_by(|&a, &b| compare(a, b));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn as_the_standard_library_sorts(items in proptest::collection::vec((0u8..9, any::<u8>()), 0..200)) {
            let mut wanted = items.clone();
            wanted.sort();
            let mut own = items.clone();
            sort(&mut own);
            prop_assert_eq!(&own, &wanted);

            let mut wanted = items.clone();
            wanted.sort_by_key(|i| std::cmp::Reverse(i.0));
            let mut own = items;
            sort_by_key(&mut own, |i| std::cmp::Reverse(i.0));
            prop_assert_eq!(own, wanted);
        }
    }
}
