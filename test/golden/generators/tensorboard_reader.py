"""What TensorBoard's own reader finds in the event files of a run's folder: a line for each scalar, histogram and hyper-parameter.

    python test/golden/generators/tensorboard_reader.py runs/digits        (pip install tensorboard)
"""

import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "histograms": 0, "images": 0}).Reload()
for tag in events.Tags()["scalars"]:
    values = events.Scalars(tag) or [None]
    print("scalar", tag, len(values), *((values[0].step, values[-1].step, values[-1].value) if values[0] else ()))
for tag in events.Tags()["histograms"]:
    value = events.Histograms(tag)[-1]
    print("histogram", tag, value.step, list(value.histogram_value.bucket_limit), list(value.histogram_value.bucket))
for tag in events.Tags()["images"]:
    image = events.Images(tag)[-1]
    print("image", tag, image.step, image.width, image.height)
for tag, metadata in events.summary_metadata.items():
    if metadata.plugin_data.plugin_name == "hparams":
        data = plugin_data_pb2.HParamsPluginData.FromString(metadata.plugin_data.content)
        for name, value in sorted(data.session_start_info.hparams.items()):
            print("hparam", name, value.WhichOneof("kind"), getattr(value, value.WhichOneof("kind")))
