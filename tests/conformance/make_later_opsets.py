#!/usr/bin/env python3
"""Writes later_opsets.json: small models of operators and forms newer than ONNX's suite of opset 17, with inputs and
the outputs that ONNX Runtime (the npm package onnxruntime-node, 1.30.0) computes for them.

usage: make_later_opsets.py ORT_RUN.js > later_opsets.json
ORT_RUN.js is a script that takes MODEL --in NAME=FILE.npy ... --out FOLDER and writes FOLDER/<output>.npy.
Needs Debian's python3-onnx and python3-numpy; NODE_PATH names where onnxruntime-node is installed.
"""
import base64, json, os, subprocess, sys, tempfile
import numpy as np
import onnx
from onnx import helper, numpy_helper

F32, F16, F64, I64, I32, BOOL = 1, 10, 11, 7, 6, 9
TYPES = {np.dtype(n): t for n, t in dict(float32=1, uint8=2, int8=3, uint16=4, int16=5, int32=6, int64=7, bool=9,
                                         float16=10, float64=11, uint32=12, uint64=13).items()}
rng = np.random.default_rng(23)
cases = []


def f(*shape):
    return np.round(rng.uniform(-2, 2, shape), 3).astype(np.float32)


def value(name, dtype, shape=None):
    info = onnx.ValueInfoProto(name=name)
    info.type.tensor_type.elem_type = dtype
    if shape is not None:
        info.type.tensor_type.shape.SetInParent()
        for extent in shape:
            info.type.tensor_type.shape.dim.add().dim_value = extent
    return info


def case(name, opset, op, inputs, outputs=(F32,), consts=(), nodes=None, ort=True, **attrs):
    """inputs: arrays, None for a missing one; consts: indices of those that are initializers; outputs: element types."""
    names = ["" if x is None else f"x{i}" for i, x in enumerate(inputs)]
    results = [f"y{i}" for i in range(len(outputs))]
    graph = onnx.GraphProto(name="g")
    graph.node.extend(nodes or [helper.make_node(op, names, results, **attrs)])
    given = {}
    for i, x in enumerate(inputs):
        if x is None:
            continue
        if i in consts or isinstance(x, onnx.TensorProto):
            tensor = x if isinstance(x, onnx.TensorProto) else numpy_helper.from_array(x)
            tensor.name = names[i]
            graph.initializer.append(tensor)
        else:
            graph.input.append(value(names[i], TYPES[x.dtype], x.shape))
            given[names[i]] = x
    graph.output.extend([value(n, t) for n, t in zip(results, outputs)])
    model = onnx.ModelProto(ir_version=10, graph=graph)
    model.opset_import.add(domain="", version=opset)
    cases.append((name, model, given, results))


def nibbles(values, signed, shape):
    """A tensor of 4-bit integers: two in a byte."""
    bits = [v & 15 for v in values] + [0] * (len(values) % 2)
    tensor = onnx.TensorProto(data_type=22 if signed else 21, dims=shape)
    tensor.raw_data = bytes(bits[i] | bits[i + 1] << 4 for i in range(0, len(bits), 2))
    return tensor


def eights(data_type, codes):
    return onnx.TensorProto(data_type=data_type, dims=[len(codes)], raw_data=bytes(codes))


def ints(*values):
    return np.array(values, np.int64)


# --- opset 18
case("col2im", 18, "Col2Im", [f(1, 8, 9), ints(4, 4), ints(2, 2)], consts=(1, 2))
case("col2im_padded", 18, "Col2Im", [f(2, 12, 12), ints(5, 7), ints(2, 3)], consts=(1, 2), strides=[2, 2],
     pads=[1, 1, 0, 1], dilations=[1, 1])
case("col2im_dilated", 18, "Col2Im", [f(1, 4, 20), ints(6, 6), ints(2, 2)], consts=(1, 2), dilations=[1, 2])
case("center_crop_pad", 18, "CenterCropPad", [f(5, 8, 3), ints(3, 9)], consts=(1,), axes=[0, 1])
case("bitwise_and", 18, "BitwiseAnd", [np.array([12, -3, 7], np.int32), np.array([10], np.int32)], (I32,))
case("bitwise_xor", 18, "BitwiseXor", [np.array([12, 253, 7], np.uint8), np.array([10, 1, 7], np.uint8)], (2,))
case("bitwise_not", 18, "BitwiseNot", [np.array([12, -3, 7], np.int32)], (I32,))
case("mish", 18, "Mish", [f(7)])
case("split_num_outputs", 18, "Split", [f(2, 7)], (F32, F32, F32), axis=1, num_outputs=3)
case("pad_axes", 18, "Pad", [f(3, 4), ints(1, 2), np.float32(5), ints(1)], consts=(1, 2, 3))
case("resize_antialias_linear", 18, "Resize", [f(1, 1, 5, 8), None, np.array([0.6, 0.6], np.float32)], consts=(2,),
     mode="linear", antialias=1, axes=[2, 3])
case("resize_antialias_cubic", 18, "Resize", [f(1, 1, 6, 8), None, None, ints(3, 5)], consts=(3,), mode="cubic",
     antialias=1, axes=[2, 3])
case("resize_axes_not_larger", 18, "Resize", [f(1, 1, 4, 6), None, None, ints(7, 8)], consts=(3,), mode="nearest",
     axes=[2, 3], keep_aspect_ratio_policy="not_larger")
case("resize_axes_not_smaller", 18, "Resize", [f(1, 1, 4, 6), None, None, ints(7, 8)], consts=(3,), mode="linear",
     axes=[2, 3], keep_aspect_ratio_policy="not_smaller")
case("reduce_l2_axes", 18, "ReduceL2", [f(2, 3, 4), ints(1)], consts=(1,), keepdims=0)
case("reduce_max_noop", 18, "ReduceMax", [f(2, 3), np.zeros(0, np.int64)], consts=(1,), noop_with_empty_axes=1)
case("scatter_elements_max", 18, "ScatterElements", [f(3, 3), np.array([[0, 2, 1]], np.int64), f(1, 3)],
     reduction="max")
case("optional_has_no_element", 18, None, [f(2)], (BOOL,), nodes=[
    helper.make_node("OptionalHasElement", [""], ["y0"])])
# --- opset 19
case("pad_wrap", 19, "Pad", [f(3, 4), ints(1, 2, 2, 1)], consts=(1,), mode="wrap")
case("average_pool_dilated", 19, "AveragePool", [f(1, 1, 6, 6)], kernel_shape=[2, 2], dilations=[2, 2])
case("average_pool_ceil", 19, "AveragePool", [f(1, 1, 5, 5)], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1,
     count_include_pad=1, pads=[1, 1, 1, 1])
case("resize_half_pixel_symmetric", 19, "Resize", [f(1, 1, 4, 5), None, np.array([1, 1, 0.6, 1.7], np.float32)],
     consts=(2,), mode="linear", coordinate_transformation_mode="half_pixel_symmetric")
case("deform_conv", 19, "DeformConv", [f(1, 2, 5, 5), f(3, 2, 2, 2), f(1, 8, 4, 4)])
case("deform_conv_all", 19, "DeformConv", [f(1, 4, 5, 6), f(4, 2, 3, 3), f(1, 36, 3, 3), f(4), f(1, 18, 3, 3)], group=2,
     offset_group=2, strides=[2, 2], pads=[1, 1, 1, 1])
case("cast_to_e4m3fn", 19, None, [np.array([0, 1.06, 500, -3e-3, np.inf, 0.0009], np.float32)], nodes=[
    helper.make_node("Cast", ["x0"], ["a"], to=17), helper.make_node("Cast", ["a"], ["y0"], to=1)])
case("cast_to_e4m3fnuz", 19, None, [np.array([-0.0, 1.06, 500, -3e-3, 0.0009], np.float32)], nodes=[
    helper.make_node("Cast", ["x0"], ["a"], to=18), helper.make_node("Cast", ["a"], ["y0"], to=1)])
case("cast_to_e5m2", 19, None, [np.array([0, 1.2, 6e4, -3e-5, 1e9, 0.0009], np.float32)], nodes=[
    helper.make_node("Cast", ["x0"], ["a"], to=19), helper.make_node("Cast", ["a"], ["y0"], to=1)])
case("cast_to_e5m2_not_saturated", 19, None, [np.array([0, 1.2, -1e9, 7e4], np.float32)], nodes=[
    helper.make_node("Cast", ["x0"], ["a"], to=19, saturate=0), helper.make_node("Cast", ["a"], ["y0"], to=1)])
case("dequantize_e4m3fn", 19, "DequantizeLinear", [eights(17, [0, 0x38, 0xc0, 0x7e, 1]), np.float32(0.5)], consts=(1,))
case("quantize_e5m2", 19, None, [np.array([0, 1, -3.3, 4e5], np.float32), np.float32(0.5), eights(19, [0])], nodes=[
    helper.make_node("QuantizeLinear", ["x0", "x1", "x2"], ["a"]), helper.make_node("Cast", ["a"], ["y0"], to=1)])
# --- opset 20
case("gelu", 20, "Gelu", [f(6)])
case("gelu_tanh", 20, "Gelu", [f(6)], approximate="tanh")
case("affine_grid", 20, "AffineGrid", [f(2, 2, 3), ints(2, 1, 3, 4)], consts=(1,))
case("affine_grid_aligned", 20, "AffineGrid", [f(1, 2, 3), ints(1, 1, 2, 5)], consts=(1,), align_corners=1)
case("affine_grid_volume", 20, "AffineGrid", [f(1, 3, 4), ints(1, 1, 2, 3, 2)], consts=(1,), align_corners=1)
for mode in ("linear", "nearest"):
    for padding in ("zeros", "border", "reflection"):
        case(f"grid_sample_volume_{mode}_{padding}", 20, "GridSample", [f(1, 2, 3, 4, 2), f(1, 2, 2, 3, 3)], mode=mode,
             padding_mode=padding)
case("grid_sample_cubic", 20, "GridSample", [f(1, 1, 4, 4), f(1, 2, 3, 2)], mode="cubic", align_corners=1)
case("dft_axis_input", 20, "DFT", [f(1, 5, 3, 1), None, ints(-2).reshape(())], consts=(2,))
case("reduce_max_bool", 20, "ReduceMax", [np.array([[True, False], [False, False]]), ints(1)], (BOOL,), consts=(1,))
case("reduce_min_u8", 20, "ReduceMin", [np.array([[3, 200], [7, 1]], np.uint8), ints(0)], (2,), consts=(1,))
case("is_nan_f16", 20, "IsNaN", [np.array([1, np.nan], np.float16)], (BOOL,))
case("constant_of_shape", 20, "ConstantOfShape", [ints(2, 1)], consts=(0,),
     value=helper.make_tensor("v", F32, [1], [2.5]))
# --- opset 21
case("group_norm_channels", 21, "GroupNormalization", [f(2, 4, 3), f(4), f(4)], num_groups=2)
case("dequantize_int4", 21, "DequantizeLinear", [nibbles([-8, 7, 3, -1, 0, 5], True, [2, 3]), f(3),
                                                 nibbles([1, 0, -2], True, [3])], consts=(1,), axis=1)
case("dequantize_blocks", 21, "DequantizeLinear", [nibbles(list(range(16)), False, [2, 8]), np.abs(f(2, 4)) + 1,
                                                   nibbles([7] * 8, False, [2, 4])], consts=(1,), axis=1, block_size=2)
case("dequantize_blocks_u8", 21, "DequantizeLinear", [np.arange(24, dtype=np.uint8).reshape(4, 6), f(2, 6)], axis=0,
     block_size=2)
case("quantize_blocks", 21, "QuantizeLinear", [f(4, 6), np.abs(f(4, 2)) / 8 + 0.1, np.array([[3, 250]] * 4, np.uint8)],
     (2,), axis=1, block_size=3)
case("quantize_u16", 21, "QuantizeLinear", [f(5), np.float32(0.001), np.uint16(1000)], (4,), consts=(1, 2))
case("quantize_int4", 21, None, [f(6), np.float32(0.5), nibbles([1], True, [])], nodes=[
    helper.make_node("QuantizeLinear", ["x0", "x1", "x2"], ["a"]),
    helper.make_node("DequantizeLinear", ["a", "x1", "x2"], ["y0"])])
# --- opset 23
case("rms_norm", 23, "RMSNormalization", [f(2, 3, 4), f(4)])
case("rms_norm_axis", 23, "RMSNormalization", [f(2, 3, 4), f(3, 4)], axis=1, epsilon=0.01)
angles = f(6, 4)
case("rotary", 23, "RotaryEmbedding", [f(2, 3, 4, 8), np.cos(angles), np.sin(angles),
                                       np.array([[0, 1, 2, 5], [3, 1, 0, 2]], np.int64)])
case("rotary_interleaved", 23, "RotaryEmbedding", [f(1, 4, 16), np.cos(angles[None, :4]), np.sin(angles[None, :4])],
     interleaved=1, num_heads=2)
case("rotary_part", 23, "RotaryEmbedding", [f(1, 2, 4, 8), np.cos(angles[None, :4, :2]), np.sin(angles[None, :4, :2])],
     rotary_embedding_dim=4)
case("attention", 23, "Attention", [f(1, 2, 3, 4), f(1, 2, 5, 4), f(1, 2, 5, 4)])
case("attention_flat", 23, "Attention", [f(1, 3, 8), f(1, 5, 8), f(1, 5, 8)], q_num_heads=2, kv_num_heads=2)
case("attention_grouped", 23, "Attention", [f(1, 4, 3, 4), f(1, 2, 5, 4), f(1, 2, 5, 6)])
case("attention_masked", 23, "Attention", [f(1, 2, 3, 4), f(1, 2, 5, 4), f(1, 2, 5, 4), f(3, 5)], scale=0.3)
case("attention_bool_mask", 23, "Attention", [f(1, 2, 3, 4), f(1, 2, 3, 4), f(1, 2, 3, 4),
                                              np.array([[1, 0, 1], [1, 1, 0], [0, 0, 1]], bool)])
case("attention_causal", 23, "Attention", [f(1, 2, 4, 4), f(1, 2, 4, 4), f(1, 2, 4, 4)], is_causal=1)
case("attention_softcap", 23, "Attention", [f(1, 2, 3, 4), f(1, 2, 5, 4), f(1, 2, 5, 4), f(3, 5)], softcap=1.5)
case("attention_past", 23, "Attention", [f(1, 2, 2, 4), f(1, 2, 2, 4), f(1, 2, 2, 4), None, f(1, 2, 3, 4),
                                         f(1, 2, 3, 4)], (F32, F32, F32))
case("attention_past_causal", 23, "Attention", [f(1, 2, 2, 4), f(1, 2, 2, 4), f(1, 2, 2, 4), None, f(1, 2, 3, 4),
                                                f(1, 2, 3, 4)], (F32, F32, F32), is_causal=1)
for mode in range(4):
    case(f"attention_scores_{mode}", 23, None, [f(1, 2, 3, 4), f(1, 2, 5, 4), f(1, 2, 5, 4), f(3, 5)], (F32, F32), nodes=[
        helper.make_node("Attention", ["x0", "x1", "x2", "x3"], ["y0", "", "", "y1"], softcap=2.0,
                         qk_matmul_output_mode=mode)])
# --- earlier operators that the suite of opset 17 has no case of
case("max_roi_pool", 1, "MaxRoiPool", [f(2, 2, 6, 8), np.array([[0, 1, 1, 5, 4], [1, 0, 0, 7, 5], [0, 4, 3, 15, 9]],
                                                              np.float32)], pooled_shape=[2, 3])
case("max_roi_pool_scaled", 1, "MaxRoiPool", [f(1, 1, 6, 6), np.array([[0, 2, 2, 11, 7]], np.float32)],
     pooled_shape=[2, 2], spatial_scale=0.5)
case("roi_align_adaptive", 16, "RoiAlign", [f(2, 2, 8, 8), np.array([[0.5, 1, 6.5, 7], [2, 2, 3, 3.5]], np.float32),
                                            ints(0, 1)], output_height=2, output_width=3)
case("roi_align_adaptive_old", 10, "RoiAlign", [f(1, 1, 8, 8), np.array([[1, 1, 12, 9]], np.float32), ints(0)],
     output_height=2, output_width=2, spatial_scale=0.5)
case("max_nan", 13, "Max", [np.array([np.nan, 1, 3], np.float32), np.array([1, np.nan, 2], np.float32)])
case("min_nan", 13, "Min", [np.array([np.nan, 1, 3], np.float32), np.array([1, np.nan, 2], np.float32)])
case("relu_nan", 14, "Relu", [np.array([np.nan, 1, -3], np.float32)])
case("clip_nan", 13, "Clip", [np.array([np.nan, 1, -3], np.float32), np.float32(-1), np.float32(0.5)], consts=(1, 2))


def run(script, model, given, results):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.onnx")
        with open(path, "wb") as file:
            file.write(model.SerializeToString())
        command = ["node", script, path, "--out", folder, "--threads", "1"]
        for name, array in given.items():
            np.save(os.path.join(folder, f"in_{name}.npy"), array)
            command += ["--in", f"{name}={folder}/in_{name}.npy"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            return done.stderr
        return [np.load(os.path.join(folder, f"{name}.npy")) for name in results]


def text(message):
    return base64.b64encode(message.SerializeToString()).decode()


rows = []
for name, model, given, results in cases:
    outputs = run(sys.argv[1], model, given, results)
    if isinstance(outputs, str):
        lines = [l for l in outputs.split("\n") if "Error" in l]
        print(f"{name}: {(lines or [outputs])[0][:300]}", file=sys.stderr)
        continue
    rows.append({"name": name, "model": text(model),
                 "inputs": [text(numpy_helper.from_array(x)) for x in given.values()],
                 "outputs": [text(numpy_helper.from_array(x)) for x in outputs]})
print("[" + ",\n".join(json.dumps(row) for row in rows) + "]")
