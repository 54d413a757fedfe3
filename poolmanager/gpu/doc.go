// Package gpu reads what GPUs a machine has and how much of their memory is
// free, by running the vendors' own tools, and checks the device masks that
// assign engines to GPUs.
//
// It is not a driver binding: it loads no vendor library, so that one binary
// runs on machines with NVIDIA, AMD or no GPU. It does not reserve memory (the
// pool manager's ledger does) and does not choose devices (templates do).
//
// # Measuring
//
// A [Monitor] runs nvidia-smi, rocm-smi and amd-smi, whichever are installed;
// one run takes up to a second, is killed after 5 s, and its output is bounded.
// Amounts that no device can have are an error. A tool that fails leaves the
// devices known with nothing free: an engine is not started into memory that
// could not be measured.
//
// # Masks
//
// A mask is written as CUDA_VISIBLE_DEVICES is: indices, or ids and their
// beginnings, with commas. [ParseMask] and [CheckMask] refuse anything else, and
// [MaskEnvironment] is what the engine's environment gets for it.
//
//	m := &gpu.Monitor{Environment: []string{"PATH=" + os.Getenv("PATH")}}
//	if err := m.Measure(ctx); err != nil {
//		log.Warn("could not measure GPU memory", "error", err)
//	}
//	free := m.Free([]string{"0", "1"}) // bytes
package gpu
