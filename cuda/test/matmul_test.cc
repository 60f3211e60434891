// Dense products on the emulated device beside double sums: uneven sizes, all transposes, batches and broadcasts, long K in pieces,
// bf16 operands, f64, accumulation, epilogues.
#include <cmath>

#include "base/half.h"
#include "cuda/test/plugin.h"

using namespace athanor;
using namespace athanor::test;

namespace {

struct Product {
  Index m, n, k;
  bool ta, tb;
  Index b0 = 1, b1 = 1;
  bool broadcast_b = false;
};

const Product kCases[] = {
    {1, 1, 1, false, false},    {3, 5, 7, true, false},          {64, 64, 32, false, true},
    {65, 70, 33, false, false}, {33, 129, 20, true, true},       {5, 9, 1500, true, false},
    {130, 3, 17, false, true},  {20, 11, 9, false, false, 2, 3}, {7, 8, 16, false, true, 3, 2, true},
    {4, 4, 0, false, false},    {0, 4, 4, false, false}};

device::Matmul args_of(const Product& c, DType dtype) {
  device::Matmul args;
  args.M = c.m, args.N = c.n, args.K = c.k;
  args.batch[0] = c.b0, args.batch[1] = c.b1;
  args.a.dtype = args.b.dtype = dtype;
  args.a.row = c.ta ? 1 : c.k, args.a.col = c.ta ? c.m : 1;
  args.b.row = c.tb ? 1 : c.n, args.b.col = c.tb ? c.k : 1;
  args.a.batch[1] = c.m * c.k, args.a.batch[0] = c.b1 * c.m * c.k;
  args.b.batch[1] = c.broadcast_b ? 0 : c.k * c.n, args.b.batch[0] = c.broadcast_b ? 0 : c.b1 * c.k * c.n;
  args.ldc = c.n;
  args.c_batch[1] = c.m * c.n, args.c_batch[0] = c.b1 * c.m * c.n;
  return args;
}

template <class T>
std::vector<double> reference(const device::Matmul& args, const std::vector<T>& a, const std::vector<T>& b) {
  std::vector<double> c;
  for (Index b0 = 0; b0 < args.batch[0]; ++b0)
    for (Index b1 = 0; b1 < args.batch[1]; ++b1)
      for (Index m = 0; m < args.M; ++m)
        for (Index n = 0; n < args.N; ++n) {
          double sum = 0;
          for (Index k = 0; k < args.K; ++k)
            sum += static_cast<double>(a[static_cast<std::size_t>(b0 * args.a.batch[0] + b1 * args.a.batch[1] +
                                                                  m * args.a.row + k * args.a.col)]) *
                   static_cast<double>(b[static_cast<std::size_t>(b0 * args.b.batch[0] + b1 * args.b.batch[1] +
                                                                  k * args.b.row + n * args.b.col)]);
          c.push_back(sum);
        }
  return c;
}

std::size_t elements(Index a, Index b, Index batches) { return static_cast<std::size_t>(a * b * batches); }

}  // namespace

TEST(products_of_f32) {
  for (const Product& c : kCases) {
    const std::vector<float> a = numbers(elements(c.m, c.k, c.b0 * c.b1), 1),
                             b = numbers(elements(c.k, c.n, c.b0 * c.b1), 2);
    device::Matmul args = args_of(c, DType::f32);
    const std::vector<double> wanted = reference(args, a, b);
    std::vector<float> first;
    in_all_orders([&](const char* order) {
      const DeviceArray<float> da(a), db(b), dc(wanted.size());
      args.a.data = da.data(), args.b.data = db.data(), args.c = dc.data();
      if (!launch(plugin().launch.matmul, args, "matmul")) return;
      const std::vector<float> got = dc.values();
      agree(got, wanted, 0, 1e-7 * (4 + std::sqrt(static_cast<double>(c.k)) * 4),
            std::string("matmul ") + std::to_string(c.m) + " " + std::to_string(c.n) + " " + std::to_string(c.k) +
                ", " + order);
      if (first.empty()) first = got;
      CHECK(first == got);
    });
  }
}

TEST(large_tiles_at_their_edges) {
  // Many tiles of 128: the large kernel.
  const Product c{1537, 1283, 9, false, false};
  const std::vector<float> a = numbers(elements(c.m, c.k, 1), 1), b = numbers(elements(c.k, c.n, 1), 2);
  device::Matmul args = args_of(c, DType::f32);
  const DeviceArray<float> da(a), db(b), dc(elements(c.m, c.n, 1));
  args.a.data = da.data(), args.b.data = db.data(), args.c = dc.data();
  CHECK(launch(plugin().launch.matmul, args, "matmul"));
  agree(dc.values(), reference(args, a, b), 0, 1e-6, "large tiles");
}

TEST(products_of_f64_and_accumulation) {
  const Product c{35, 21, 50, true, true};
  std::vector<double> a(elements(c.m, c.k, 1)), b(elements(c.k, c.n, 1)), before(elements(c.m, c.n, 1));
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = std::sin(static_cast<double>(i));
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = std::cos(static_cast<double>(3 * i));
  for (std::size_t i = 0; i < before.size(); ++i) before[i] = static_cast<double>(i);
  device::Matmul args = args_of(c, DType::f64);
  args.c_dtype = DType::f64;
  args.accumulate = true;
  const DeviceArray<double> da(a), db(b), dc(before);
  args.a.data = da.data(), args.b.data = db.data(), args.c = dc.data();
  CHECK(launch(plugin().launch.matmul, args, "matmul"));
  const std::vector<double> got = dc.values(), wanted = reference(args, a, b);
  for (std::size_t i = 0; i < got.size(); ++i) CHECK_NEAR(got[i], wanted[i] + before[i], 1e-12);
}

TEST(products_of_bf16) {
  for (const Product& c : {Product{33, 40, 70, false, false}, Product{64, 128, 96, false, true}}) {
    const std::vector<float> a = numbers(elements(c.m, c.k, 1), 3), b = numbers(elements(c.k, c.n, 1), 4);
    std::vector<std::uint16_t> ha, hb;
    std::vector<float> ra, rb;
    for (const float x : a) ha.push_back(to_bf16(x).bits), ra.push_back(to_f32(to_bf16(x)));
    for (const float x : b) hb.push_back(to_bf16(x).bits), rb.push_back(to_f32(to_bf16(x)));
    device::Matmul args = args_of(c, DType::bf16);
    const std::vector<double> wanted = reference(args, ra, rb);
    in_all_orders([&](const char* order) {
      const DeviceArray<std::uint16_t> da(ha), db(hb);
      const DeviceArray<float> dc(wanted.size());
      args.a.data = da.data(), args.b.data = db.data(), args.c = dc.data();
      CHECK(launch(plugin().launch.matmul, args, "matmul"));
      agree(dc.values(), wanted, 0, 1e-5, order);
    });
  }
}

// relu(x w + bias) + residual, the result alone stored; and the bias read where a row is one value.
TEST(epilogues_see_the_product_and_their_operands) {
  for (const Product& c : {Product{37, 50, 21, false, false}, Product{5, 70, 900, false, true}}) {
    const std::vector<float> a = numbers(elements(c.m, c.k, 1), 1), b = numbers(elements(c.k, c.n, 1), 2);
    const std::vector<float> bias = numbers(static_cast<std::size_t>(c.n), 3),
                             residual = numbers(elements(c.m, c.n, 1), 4);
    device::Matmul args = args_of(c, DType::f32);
    const std::vector<double> product = reference(args, a, b);
    std::vector<double> wanted;
    for (std::size_t i = 0; i < product.size(); ++i)
      wanted.push_back(std::fmax(0, product[i] + static_cast<double>(bias[i % static_cast<std::size_t>(c.n)])) +
                       static_cast<double>(residual[i]));
    const EwInstruction code[] = {{EwOp::load, 0, 0, 0, 0, 0}, {EwOp::load, 1, 0, 0, 0, 1},
                                  {EwOp::add_relu, 0, 0, 1},   {EwOp::load, 1, 0, 0, 0, 2},
                                  {EwOp::add, 0, 0, 1},        {EwOp::store, 0, 0, 0, 0, 3}};
    const DType types[] = {DType::f32, DType::f32, DType::f32, DType::f32};
    in_all_orders([&](const char* order) {
      const DeviceArray<float> da(a), db(b), dbias(bias), dresidual(residual), dy(product.size());
      args.a.data = da.data(), args.b.data = db.data(), args.c = nullptr;
      args.epilogue.raw = 0;
      EwArgs& e = args.epilogue.args;
      e.program = {DType::f32, 6, code, 4, types};
      e.rank = 2, e.shape[0] = c.m, e.shape[1] = c.n;
      const Index strides[4][2] = {{c.n, 1}, {0, 1}, {c.n, 1}, {c.n, 1}};
      float* data[] = {nullptr, dbias.data(), dresidual.data(), dy.data()};
      for (int i = 0; i < 4; ++i) {
        e.operands[i].data = data[i];
        std::copy(strides[i], strides[i] + 2, e.operands[i].strides);
      }
      CHECK(launch(plugin().launch.matmul, args, "matmul"));
      agree(dy.values(), wanted, 1e-6, 1e-7 * (4 + std::sqrt(static_cast<double>(c.k)) * 4), order);
    });
  }
}

// On tensor cores, in every layout of the operands: strides that copies of 16 bytes take, sizes that no tile divides.
TEST(products_on_tensor_cores) {
  for (const Product& c : {Product{136, 136, 40, false, false}, Product{136, 136, 40, true, false},
                           Product{136, 136, 40, false, true}, Product{136, 136, 40, true, true},
                           Product{40, 24, 200, false, false, 2, 1}, Product{16, 8, 1504, true, true}}) {
    const std::vector<float> a = numbers(elements(c.m, c.k, c.b0), 3), b = numbers(elements(c.k, c.n, c.b0), 4);
    for (const device::Precision precision :
         {device::Precision::tf32, device::Precision::tf32x3, device::Precision::bf16}) {
      if (precision == device::Precision::bf16 && c.b0 > 1) continue;
      device::Matmul args = args_of(c, DType::f32);
      args.precision = precision;
      // Inputs lose 2^-11 (tf32), 2^-22 (tf32x3) or 2^-9 (bf16) of themselves, both of them; products add up like sqrt(K).
      const double kept = precision == device::Precision::tf32   ? 0x1p-11
                          : precision == device::Precision::bf16 ? 0x1p-9
                                                                 : 0x1p-22;
      const double bound = (2 * kept + 0x1p-22) * 3 * std::sqrt(static_cast<double>(c.k));
      const std::vector<double> wanted = reference(args, a, b);
      // The scheduling of all kinds is one; bf16 below goes through all orders.
      const DeviceArray<float> da(a), db(b), dc(wanted.size());
      args.a.data = da.data(), args.b.data = db.data(), args.c = dc.data();
      CHECK(launch(plugin().launch.matmul, args, "matmul"));
      agree(dc.values(), wanted, 0, bound, std::string("precision ") + std::to_string(static_cast<int>(precision)));
    }
    std::vector<std::uint16_t> ha, hb;
    std::vector<float> ra, rb;
    for (const float x : a) ha.push_back(to_bf16(x).bits), ra.push_back(to_f32(to_bf16(x)));
    for (const float x : b) hb.push_back(to_bf16(x).bits), rb.push_back(to_f32(to_bf16(x)));
    device::Matmul args = args_of(c, DType::bf16);
    const std::vector<double> wanted = reference(args, ra, rb);
    std::vector<float> first;
    in_all_orders([&](const char* order) {
      const DeviceArray<std::uint16_t> da(ha), db(hb);
      const DeviceArray<float> dc(wanted.size());
      args.a.data = da.data(), args.b.data = db.data(), args.c = dc.data();
      CHECK(launch(plugin().launch.matmul, args, "matmul"));
      const std::vector<float> got = dc.values();
      agree(got, wanted, 0, 0x1p-22 * 3 * std::sqrt(static_cast<double>(c.k)), std::string("bf16, ") + order);
      if (first.empty()) first = got;
      CHECK(first == got);
    });
  }
}
