//! Numbers on their way between the host and a device: all that passes goes through here.
//!
//! What belongs together crosses together, as one copy of bytes from pinned memory, which the host
//! does not wait for. On the CPU nothing is copied.

use std::borrow::Borrow;

use tch::{Device, Kind, Tensor};

use crate::Result;

/// Where each tensor begins in a packed one: what every kind can be read from.
const ALIGNMENT: usize = 16;

/// A tensor of the host's numbers, (values).
pub(crate) fn host<T: tch::kind::Element>(values: &[T]) -> Result<Tensor> {
    #[expect(clippy::disallowed_methods, reason = "the one place")]
    Ok(Tensor::f_from_slice(values)?)
}

/// The tensors of the host on the device, by one copy.
pub(crate) fn upload<const N: usize>(tensors: [Tensor; N], device: Device) -> Result<[Tensor; N]> {
    let mut tensors = tensors;
    upload_all(&mut tensors.each_mut(), device)?;
    Ok(tensors)
}

/// The same in place.
pub(crate) fn upload_all(tensors: &mut [&mut Tensor], device: Device) -> Result<()> {
    count(|c| c.up += 1);
    match device {
        Device::Cpu => Ok(()),
        _ => send(tensors, device),
    }
}

/// One tensor of the host's numbers of this shape on the device.
pub(crate) fn upload_values<T: tch::kind::Element>(
    values: &[T],
    shape: &[i64],
    device: Device,
) -> Result<Tensor> {
    let [tensor] = upload([host(values)?.f_view(shape)?], device)?;
    Ok(tensor)
}

/// Columns of the host's numbers on the device.
pub(crate) fn upload_columns<T: tch::kind::Element, const N: usize>(
    columns: &[Vec<T>; N],
    device: Device,
) -> Result<[Tensor; N]> {
    let mut tensors: [Tensor; N] = std::array::from_fn(|_| Tensor::new());
    for (tensor, column) in tensors.iter_mut().zip(columns) {
        *tensor = host(column)?;
    }
    upload(tensors, device)
}

/// The numbers of a tensor, row by row.
pub(crate) fn download<T: tch::kind::Element + Copy>(tensor: &Tensor) -> Result<Vec<T>>
where
    Vec<T>: for<'a> TryFrom<&'a Tensor, Error = tch::TchError>,
{
    count(|c| c.down += 1);
    Ok(Vec::try_from(&tensor.detach().f_contiguous()?.f_view([-1])?)?)
}

/// The numbers of several tensors as floats, by one copy.
pub(crate) fn download_all<const N: usize>(tensors: [&Tensor; N]) -> Result<[Vec<f32>; N]> {
    let mut lists = download_list(&tensors)?.into_iter();
    Ok(tensors.map(|_| lists.next().unwrap_or_default()))
}

/// The same of any number of them, as numbers of one type.
pub(crate) fn download_list<T, E>(tensors: &[T]) -> Result<Vec<Vec<E>>>
where
    T: Borrow<Tensor>,
    E: tch::kind::Element + Copy,
    Vec<E>: for<'a> TryFrom<&'a Tensor, Error = tch::TchError>,
{
    let mut flat = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        let tensor = tensor.borrow().detach();
        flat.push(tensor.f_contiguous()?.f_view([-1])?.f_to_kind(E::KIND)?);
    }
    let all = download::<E>(&Tensor::f_cat(&flat, 0)?)?;
    let mut rest = all.as_slice();
    let own = |tensor: &Tensor| {
        let (own, others) = rest.split_at(tensor.numel());
        rest = others;
        own.to_vec()
    };
    Ok(flat.iter().map(own).collect())
}

/// Replaces the tensors by parts of one that was sent.
fn send(tensors: &mut [&mut Tensor], device: Device) -> Result<()> {
    let mut parts = Vec::with_capacity(2 * tensors.len());
    let mut places = Vec::with_capacity(tensors.len());
    let mut end = 0;
    for tensor in tensors.iter() {
        let bytes = tensor.f_contiguous()?.f_view([-1])?.f_view_dtype(Kind::Uint8)?;
        let size = bytes.size()[0] as usize;
        places.push((end, size));
        parts.push(bytes);
        let gap = size.next_multiple_of(ALIGNMENT) - size;
        parts.push(Tensor::f_zeros([gap as i64], (Kind::Uint8, Device::Cpu))?);
        end += size + gap;
    }
    let all = across(Tensor::f_cat(&parts, 0)?, device)?;
    for (tensor, (start, size)) in tensors.iter_mut().zip(places) {
        let bytes = all.f_narrow(0, start as i64, size as i64)?;
        **tensor = bytes.f_view_dtype(tensor.kind())?.f_view(tensor.size().as_slice())?;
    }
    Ok(())
}

/// A copy on the device. LibTorch keeps pinned memory until the copy from it is done. (`pin_memory` itself would
/// print that its argument is out of use.)
#[expect(clippy::disallowed_methods, reason = "the one place")]
fn across(bytes: Tensor, device: Device) -> Result<Tensor> {
    let bytes = if device.is_cuda() { bytes.f_internal_pin_memory(device)? } else { bytes };
    Ok(bytes.f_to_device_(device, Kind::Uint8, true, false)?)
}

/// A tensor of weights or the like on the device, whatever device it is on.
pub(crate) fn moved(tensor: &Tensor, device: Device) -> Tensor {
    #[expect(clippy::disallowed_methods, reason = "the one place")]
    tensor.to_device(device)
}

/// How often anything crossed, or would have on a device, in this thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Crossings {
    pub(crate) up: usize,
    pub(crate) down: usize,
}

#[cfg(test)]
thread_local! {
    static CROSSINGS: std::cell::Cell<Crossings> = std::cell::Cell::default();
}

#[cfg(test)]
fn count(add: impl FnOnce(&mut Crossings)) {
    let mut crossings = CROSSINGS.get();
    add(&mut crossings);
    CROSSINGS.set(crossings);
}

#[cfg(not(test))]
fn count(add: impl FnOnce(&mut Crossings)) {
    let _ = add;
}

/// What crossed in this thread while `work` ran.
#[cfg(test)]
pub(crate) fn crossings(work: impl FnOnce()) -> Crossings {
    let before = CROSSINGS.replace(Crossings::default());
    work();
    CROSSINGS.replace(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_of_every_kind_cross_as_one_and_are_the_same() {
        let make = || -> [Tensor; 5] {
            [
                host(&[1_i64, -2, 3, 4, 5, 6]).unwrap().view([2, 3]),
                host(&[0.5_f32, -1.5, 2.5]).unwrap(),
                host(&[true, false, true]).unwrap().view([3, 1]),
                host::<i64>(&[]).unwrap().view([0, 4]),
                host(&[0.25_f64]).unwrap(),
            ]
        };
        let mut sent = make();
        send(&mut sent.each_mut(), Device::Cpu).unwrap();
        for (sent, own) in sent.iter().zip(&make()) {
            assert_eq!((sent.size(), sent.kind()), (own.size(), own.kind()));
            assert!(sent.equal(own));
        }
        // All are parts of one block of memory.
        let place = |tensor: &Tensor| tensor.data_ptr() as usize;
        assert_eq!(place(&sent[1]) - place(&sent[0]), 48);
        assert_eq!(place(&sent[4]) - place(&sent[0]), 80);
    }

    #[test]
    fn what_crosses_is_counted() {
        let seen = crossings(|| {
            let a = upload_values(&[1_i64, 2, 3, 4], &[2, 2], Device::Cpu).unwrap();
            assert_eq!(download::<i64>(&a.transpose(0, 1)).unwrap(), [1, 3, 2, 4]);
        });
        assert_eq!(seen, Crossings { up: 1, down: 1 });
    }
}
