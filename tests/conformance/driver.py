"""The driver in Python; see README.md."""

import json
import sys

import hmtl

requests, answers = sys.stdin.buffer, sys.stdout.buffer


def fail(message):
    sys.exit(f"driver: {message}")


def read_line():
    line = requests.readline()
    if line and not line.endswith(b"\n"):
        fail("a request ends early")
    return line[:-1]


def read_value():
    line = read_line()
    if line == b"-":
        return None
    length = int(line)
    value = requests.read(length + 1)
    if len(value) != length + 1 or not value.endswith(b"\n"):
        fail("a value has not the length that it says")
    return value[:-1].decode()


def write_value(value):
    if value is None:
        answers.write(b"-\n")
    else:
        data = str(value).encode()
        answers.write(b"%d\n%s\n" % (len(data), data))


class Objects(dict):
    """Objects by name. A new one closes that which had its name."""

    def __missing__(self, name):
        return fail(f"unknown object {name}")

    def keep(self, name, made):
        if name in self:
            self[name].close()
        self[name] = made

    def free(self, name):
        self[name].close()
        del self[name]


cancels, models, datasets, trainers = Objects(), Objects(), Objects(), Objects()


def token(name):
    return None if name is None else cancels[name]


def raw(options):
    """Options as they are; Python's own would ask for offsets in characters."""
    return "{}" if options is None else options


def cancel_new_child(name, parent):
    cancels.keep(name, hmtl.Cancel(cancels[parent]))


def annotate_tokens(model, options, ends, *tokens):
    numbers = None if ends is None else [int(end) for end in ends.split()]
    return models[model].annotate_tokens_json(tokens, numbers, options=raw(options))


def train(name, cancel, count):
    steps = 0

    def on_event(event):
        nonlocal steps
        answers.write(b"event\n")
        write_value(event)
        if json.loads(event)["event"] == "step":
            steps += 1
            if count is not None and steps == int(count):
                token(cancel).trigger()

    return trainers[name].train_json(on_event, cancel=token(cancel))


CALLS = {
    "version": hmtl.version,
    "abi_version": hmtl.abi_version,
    "build_info": hmtl.build_info_json,
    "devices": hmtl.devices_json,
    "set_num_threads": lambda count: hmtl.set_num_threads(int(count)),
    "cancel_new": lambda name: cancels.keep(name, hmtl.Cancel()),
    "cancel_new_child": cancel_new_child,
    "cancel_trigger": lambda name: cancels[name].trigger(),
    "cancel_free": cancels.free,
    "model_load": lambda name, path, options: models.keep(name, hmtl.Model(path, options=options)),
    "model_info": lambda name: models[name].info_json(),
    "model_annotate": lambda name, text, options: models[name].annotate_json(text, options=raw(options)),
    "model_annotate_batch": lambda name, cancel, options, *texts: models[name].annotate_batch_json(
        texts, options=raw(options), cancel=token(cancel)
    ),
    "model_annotate_tokens": annotate_tokens,
    "model_evaluate": lambda name, dataset, options, cancel: models[name].evaluate_json(
        datasets[dataset], options=options, cancel=token(cancel)
    ),
    "model_save": lambda name, path, options: models[name].save(path, options=options),
    "model_free": models.free,
    "dataset_open": lambda name, format, path, options: datasets.keep(
        name, hmtl.Dataset.open(format, path, options=options)
    ),
    "dataset_from_jsonl": lambda name, text: datasets.keep(name, hmtl.Dataset.from_jsonl(text)),
    "dataset_info": lambda name: datasets[name].info_json(),
    "dataset_len": lambda name: len(datasets[name]),
    "dataset_get": lambda name, index: datasets[name].get_json(int(index)),
    "dataset_write": lambda name, format, path: datasets[name].write(format, path),
    "dataset_free": datasets.free,
    "trainer_new": lambda name, config: trainers.keep(name, hmtl.Trainer(config)),
    "trainer_resume": lambda name, path, options: trainers.keep(
        name, hmtl.Trainer.resume(path, options=options)
    ),
    "trainer_add_dataset": lambda name, task, split, dataset: trainers[name].add_dataset(
        task, split, datasets[dataset]
    ),
    "trainer_step": lambda name: trainers[name].step_json(),
    "trainer_train": train,
    "trainer_evaluate": lambda name, split, cancel: trainers[name].evaluate_json(split, cancel=token(cancel)),
    "trainer_info": lambda name: trainers[name].info_json(),
    "trainer_save": lambda name, path: trainers[name].save(path),
    "trainer_snapshot": lambda name, model: models.keep(model, trainers[name].snapshot()),
    "trainer_snapshot_best": lambda name, task, model: models.keep(model, trainers[name].snapshot_best(task)),
    "trainer_free": trainers.free,
}


def main():
    while True:
        request = read_line()
        if not request:
            return
        call, count = request.decode().split(" ")
        arguments = [read_value() for _ in range(int(count))]
        if call not in CALLS:
            fail(f"unknown call {call}")
        try:
            value = CALLS[call](*arguments)
        except hmtl.ClosedError:
            raise
        except hmtl.Error as error:
            answers.write(b"error %d\n" % error.code)
            write_value(error)
        else:
            answers.write(b"ok\n")
            write_value(value)
        answers.flush()


main()
