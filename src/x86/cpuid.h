/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUID: leaf numbers and feature bits, named V3_CPUID_<leaf>_<register>_<feature>.
 * APM3 appendix E; SDM vol. 2A, CPUID.
 */
#ifndef V3_X86_CPUID_H
#define V3_X86_CPUID_H

/* Leaves */
#define V3_CPUID_LEAF_VENDOR		0x00000000u	/* max basic leaf, vendor */
#define V3_CPUID_LEAF_FEATURES		0x00000001u
#define V3_CPUID_LEAF_CACHE		0x00000002u	/* Intel descriptors */
#define V3_CPUID_LEAF_SERIAL		0x00000003u
#define V3_CPUID_LEAF_CACHE_PARAMS	0x00000004u	/* subleaves, Intel */
#define V3_CPUID_LEAF_MWAIT		0x00000005u
#define V3_CPUID_LEAF_THERMAL		0x00000006u
#define V3_CPUID_LEAF_EXT_FEATURES	0x00000007u	/* subleaves */
#define V3_CPUID_LEAF_PERFMON		0x0000000au	/* Intel */
#define V3_CPUID_LEAF_TOPOLOGY		0x0000000bu	/* subleaves */
#define V3_CPUID_LEAF_XSAVE		0x0000000du	/* subleaves */
#define V3_CPUID_LEAF_RDT_MON		0x0000000fu
#define V3_CPUID_LEAF_RDT_ALLOC		0x00000010u
#define V3_CPUID_LEAF_SGX		0x00000012u
#define V3_CPUID_LEAF_PT		0x00000014u
#define V3_CPUID_LEAF_TSC		0x00000015u
#define V3_CPUID_LEAF_FREQUENCY		0x00000016u
#define V3_CPUID_LEAF_TOPOLOGY_V2	0x0000001fu
#define V3_CPUID_LEAF_HYPERVISOR	0x40000000u	/* max hypervisor leaf, signature */
#define V3_CPUID_LEAF_HV_TIMING		0x40000010u	/* EAX: TSC, EBX: APIC timer, in kHz */
#define V3_CPUID_LEAF_HV_LAST		0x400000ffu
#define V3_CPUID_LEAF_KVM		0x40000100u	/* max leaf of these, KVM's signature */
#define V3_CPUID_LEAF_KVM_FEATURES	0x40000101u
#define V3_CPUID_LEAF_EXT_MAX		0x80000000u	/* max extended leaf, vendor */
#define V3_CPUID_LEAF_EXT1		0x80000001u
#define V3_CPUID_LEAF_BRAND_FIRST	0x80000002u
#define V3_CPUID_LEAF_BRAND_LAST	0x80000004u
#define V3_CPUID_LEAF_L1		0x80000005u	/* AMD */
#define V3_CPUID_LEAF_L2_L3		0x80000006u
#define V3_CPUID_LEAF_APM		0x80000007u
#define V3_CPUID_LEAF_SIZES		0x80000008u
#define V3_CPUID_LEAF_SVM		0x8000000au
#define V3_CPUID_LEAF_TLB_1G		0x80000019u
#define V3_CPUID_LEAF_PERF_HINTS	0x8000001au
#define V3_CPUID_LEAF_IBS		0x8000001bu
#define V3_CPUID_LEAF_LWP		0x8000001cu
#define V3_CPUID_LEAF_AMD_CACHE		0x8000001du	/* subleaves */
#define V3_CPUID_LEAF_AMD_TOPOLOGY	0x8000001eu
#define V3_CPUID_LEAF_SEV		0x8000001fu
#define V3_CPUID_LEAF_EXT2		0x80000021u

/* Vendor strings, as EBX, EDX, ECX of leaf 0 */
#define V3_CPUID_AMD_EBX	0x68747541u	/* AuthenticAMD */
#define V3_CPUID_AMD_EDX	0x69746e65u
#define V3_CPUID_AMD_ECX	0x444d4163u
#define V3_CPUID_HYGON_EBX	0x6f677948u	/* HygonGenuine */
#define V3_CPUID_HYGON_EDX	0x6e65476eu
#define V3_CPUID_HYGON_ECX	0x656e6975u
#define V3_CPUID_INTEL_EBX	0x756e6547u	/* GenuineIntel */
#define V3_CPUID_INTEL_EDX	0x49656e69u
#define V3_CPUID_INTEL_ECX	0x6c65746eu

/* Leaf 1, EAX: base and extended family */
#define V3_CPUID_1_EAX_FAMILY(eax)	(((eax) >> 8 & 0xf) + ((eax) >> 20 & 0xff))

/* Leaf 1, EBX */
#define V3_CPUID_1_EBX_CLFLUSH_SHIFT	8	/* line size in 8-byte units */
#define V3_CPUID_1_EBX_COUNT_SHIFT	16	/* logical processors */
#define V3_CPUID_1_EBX_APIC_ID_SHIFT	24

/* Leaf 1, ECX */
#define V3_CPUID_1_ECX_SSE3		(1u << 0)
#define V3_CPUID_1_ECX_PCLMULQDQ	(1u << 1)
#define V3_CPUID_1_ECX_DTES64		(1u << 2)
#define V3_CPUID_1_ECX_MONITOR		(1u << 3)
#define V3_CPUID_1_ECX_DS_CPL		(1u << 4)
#define V3_CPUID_1_ECX_VMX		(1u << 5)
#define V3_CPUID_1_ECX_SMX		(1u << 6)
#define V3_CPUID_1_ECX_EIST		(1u << 7)
#define V3_CPUID_1_ECX_TM2		(1u << 8)
#define V3_CPUID_1_ECX_SSSE3		(1u << 9)
#define V3_CPUID_1_ECX_SDBG		(1u << 11)
#define V3_CPUID_1_ECX_FMA		(1u << 12)
#define V3_CPUID_1_ECX_CX16		(1u << 13)
#define V3_CPUID_1_ECX_XTPR		(1u << 14)
#define V3_CPUID_1_ECX_PDCM		(1u << 15)
#define V3_CPUID_1_ECX_PCID		(1u << 17)
#define V3_CPUID_1_ECX_DCA		(1u << 18)
#define V3_CPUID_1_ECX_SSE41		(1u << 19)
#define V3_CPUID_1_ECX_SSE42		(1u << 20)
#define V3_CPUID_1_ECX_X2APIC		(1u << 21)
#define V3_CPUID_1_ECX_MOVBE		(1u << 22)
#define V3_CPUID_1_ECX_POPCNT		(1u << 23)
#define V3_CPUID_1_ECX_TSC_DEADLINE	(1u << 24)
#define V3_CPUID_1_ECX_AES		(1u << 25)
#define V3_CPUID_1_ECX_XSAVE		(1u << 26)
#define V3_CPUID_1_ECX_OSXSAVE		(1u << 27)	/* follows CR4.OSXSAVE */
#define V3_CPUID_1_ECX_AVX		(1u << 28)
#define V3_CPUID_1_ECX_F16C		(1u << 29)
#define V3_CPUID_1_ECX_RDRAND		(1u << 30)
#define V3_CPUID_1_ECX_HYPERVISOR	(1u << 31)

/* Leaf 1, EDX */
#define V3_CPUID_1_EDX_FPU		(1u << 0)
#define V3_CPUID_1_EDX_VME		(1u << 1)
#define V3_CPUID_1_EDX_DE		(1u << 2)
#define V3_CPUID_1_EDX_PSE		(1u << 3)
#define V3_CPUID_1_EDX_TSC		(1u << 4)
#define V3_CPUID_1_EDX_MSR		(1u << 5)
#define V3_CPUID_1_EDX_PAE		(1u << 6)
#define V3_CPUID_1_EDX_MCE		(1u << 7)
#define V3_CPUID_1_EDX_CX8		(1u << 8)
#define V3_CPUID_1_EDX_APIC		(1u << 9)	/* follows APIC_BASE.ENABLE */
#define V3_CPUID_1_EDX_SEP		(1u << 11)
#define V3_CPUID_1_EDX_MTRR		(1u << 12)
#define V3_CPUID_1_EDX_PGE		(1u << 13)
#define V3_CPUID_1_EDX_MCA		(1u << 14)
#define V3_CPUID_1_EDX_CMOV		(1u << 15)
#define V3_CPUID_1_EDX_PAT		(1u << 16)
#define V3_CPUID_1_EDX_PSE36		(1u << 17)
#define V3_CPUID_1_EDX_PSN		(1u << 18)
#define V3_CPUID_1_EDX_CLFLUSH		(1u << 19)
#define V3_CPUID_1_EDX_DS		(1u << 21)
#define V3_CPUID_1_EDX_ACPI		(1u << 22)
#define V3_CPUID_1_EDX_MMX		(1u << 23)
#define V3_CPUID_1_EDX_FXSR		(1u << 24)
#define V3_CPUID_1_EDX_SSE		(1u << 25)
#define V3_CPUID_1_EDX_SSE2		(1u << 26)
#define V3_CPUID_1_EDX_SS		(1u << 27)
#define V3_CPUID_1_EDX_HTT		(1u << 28)
#define V3_CPUID_1_EDX_TM		(1u << 29)
#define V3_CPUID_1_EDX_PBE		(1u << 31)

/* Leaf 6 */
#define V3_CPUID_6_EAX_ARAT		(1u << 2)
#define V3_CPUID_6_ECX_APERFMPERF	(1u << 0)

/* Leaf 7, subleaf 0 */
#define V3_CPUID_7_EBX_FSGSBASE		(1u << 0)
#define V3_CPUID_7_EBX_TSC_ADJUST	(1u << 1)
#define V3_CPUID_7_EBX_SGX		(1u << 2)
#define V3_CPUID_7_EBX_BMI1		(1u << 3)
#define V3_CPUID_7_EBX_HLE		(1u << 4)
#define V3_CPUID_7_EBX_AVX2		(1u << 5)
#define V3_CPUID_7_EBX_SMEP		(1u << 7)
#define V3_CPUID_7_EBX_BMI2		(1u << 8)
#define V3_CPUID_7_EBX_ERMS		(1u << 9)
#define V3_CPUID_7_EBX_INVPCID		(1u << 10)
#define V3_CPUID_7_EBX_RTM		(1u << 11)
#define V3_CPUID_7_EBX_PQM		(1u << 12)
#define V3_CPUID_7_EBX_MPX		(1u << 14)
#define V3_CPUID_7_EBX_PQE		(1u << 15)
#define V3_CPUID_7_EBX_AVX512F		(1u << 16)
#define V3_CPUID_7_EBX_AVX512DQ		(1u << 17)
#define V3_CPUID_7_EBX_RDSEED		(1u << 18)
#define V3_CPUID_7_EBX_ADX		(1u << 19)
#define V3_CPUID_7_EBX_SMAP		(1u << 20)
#define V3_CPUID_7_EBX_AVX512IFMA	(1u << 21)
#define V3_CPUID_7_EBX_CLFLUSHOPT	(1u << 23)
#define V3_CPUID_7_EBX_CLWB		(1u << 24)
#define V3_CPUID_7_EBX_PT		(1u << 25)
#define V3_CPUID_7_EBX_AVX512CD		(1u << 28)
#define V3_CPUID_7_EBX_SHA		(1u << 29)
#define V3_CPUID_7_EBX_AVX512BW		(1u << 30)
#define V3_CPUID_7_EBX_AVX512VL		(1u << 31)
#define V3_CPUID_7_ECX_AVX512VBMI	(1u << 1)
#define V3_CPUID_7_ECX_UMIP		(1u << 2)
#define V3_CPUID_7_ECX_PKU		(1u << 3)
#define V3_CPUID_7_ECX_OSPKE		(1u << 4)	/* follows CR4.PKE */
#define V3_CPUID_7_ECX_WAITPKG		(1u << 5)
#define V3_CPUID_7_ECX_AVX512VBMI2	(1u << 6)
#define V3_CPUID_7_ECX_CET_SS		(1u << 7)
#define V3_CPUID_7_ECX_GFNI		(1u << 8)
#define V3_CPUID_7_ECX_VAES		(1u << 9)
#define V3_CPUID_7_ECX_VPCLMULQDQ	(1u << 10)
#define V3_CPUID_7_ECX_AVX512VNNI	(1u << 11)
#define V3_CPUID_7_ECX_AVX512BITALG	(1u << 12)
#define V3_CPUID_7_ECX_AVX512VPOPCNTDQ	(1u << 14)
#define V3_CPUID_7_ECX_LA57		(1u << 16)
#define V3_CPUID_7_ECX_RDPID		(1u << 22)
#define V3_CPUID_7_EDX_FSRM		(1u << 4)
#define V3_CPUID_7_EDX_MD_CLEAR		(1u << 10)
#define V3_CPUID_7_EDX_CET_IBT		(1u << 20)
#define V3_CPUID_7_EDX_SPEC_CTRL	(1u << 26)
#define V3_CPUID_7_EDX_STIBP		(1u << 27)
#define V3_CPUID_7_EDX_L1D_FLUSH	(1u << 28)
#define V3_CPUID_7_EDX_ARCH_CAPS	(1u << 29)
#define V3_CPUID_7_EDX_SSBD		(1u << 31)

/* Leaf 0xD, subleaf 1, EAX */
#define V3_CPUID_D1_EAX_XSAVEOPT	(1u << 0)
#define V3_CPUID_D1_EAX_XSAVEC		(1u << 1)
#define V3_CPUID_D1_EAX_XGETBV1		(1u << 2)
#define V3_CPUID_D1_EAX_XSAVES		(1u << 3)

/* Leaf 8000_0001, ECX */
#define V3_CPUID_80000001_ECX_LAHF	(1u << 0)
#define V3_CPUID_80000001_ECX_CMP_LEGACY (1u << 1)
#define V3_CPUID_80000001_ECX_SVM	(1u << 2)
#define V3_CPUID_80000001_ECX_EXTAPIC	(1u << 3)
#define V3_CPUID_80000001_ECX_CR8_LEGACY (1u << 4)	/* LOCK MOV CR0 is MOV CR8 */
#define V3_CPUID_80000001_ECX_ABM	(1u << 5)	/* LZCNT */
#define V3_CPUID_80000001_ECX_SSE4A	(1u << 6)
#define V3_CPUID_80000001_ECX_MISALIGNSSE (1u << 7)
#define V3_CPUID_80000001_ECX_3DNOWPREFETCH (1u << 8)
#define V3_CPUID_80000001_ECX_OSVW	(1u << 9)
#define V3_CPUID_80000001_ECX_IBS	(1u << 10)
#define V3_CPUID_80000001_ECX_XOP	(1u << 11)
#define V3_CPUID_80000001_ECX_SKINIT	(1u << 12)
#define V3_CPUID_80000001_ECX_WDT	(1u << 13)
#define V3_CPUID_80000001_ECX_LWP	(1u << 15)
#define V3_CPUID_80000001_ECX_FMA4	(1u << 16)
#define V3_CPUID_80000001_ECX_TCE	(1u << 17)
#define V3_CPUID_80000001_ECX_NODEID	(1u << 19)
#define V3_CPUID_80000001_ECX_TBM	(1u << 21)
#define V3_CPUID_80000001_ECX_TOPOEXT	(1u << 22)
#define V3_CPUID_80000001_ECX_PERFCTR_CORE (1u << 23)
#define V3_CPUID_80000001_ECX_PERFCTR_NB (1u << 24)
#define V3_CPUID_80000001_ECX_DBX	(1u << 26)
#define V3_CPUID_80000001_ECX_PERFTSC	(1u << 27)
#define V3_CPUID_80000001_ECX_PERFCTR_LLC (1u << 28)
#define V3_CPUID_80000001_ECX_MWAITX	(1u << 29)

/* Leaf 8000_0001, EDX; on AMD bits 0..9, 12..17, 23, 24 repeat leaf 1's */
#define V3_CPUID_80000001_EDX_SYSCALL	(1u << 11)
#define V3_CPUID_80000001_EDX_NX	(1u << 20)
#define V3_CPUID_80000001_EDX_MMXEXT	(1u << 22)
#define V3_CPUID_80000001_EDX_FFXSR	(1u << 25)
#define V3_CPUID_80000001_EDX_PAGE1GB	(1u << 26)
#define V3_CPUID_80000001_EDX_RDTSCP	(1u << 27)
#define V3_CPUID_80000001_EDX_LM	(1u << 29)
#define V3_CPUID_80000001_EDX_3DNOWEXT	(1u << 30)
#define V3_CPUID_80000001_EDX_3DNOW	(1u << 31)
#define V3_CPUID_80000001_EDX_LEAF1_MASK 0x0183f3ffu

/* KVM's leaves, where another hypervisor's are at 4000_0000: "KVMKVMKVM"; features */
#define V3_CPUID_KVM_EBX		0x4b4d564bu
#define V3_CPUID_KVM_ECX		0x564b4d56u
#define V3_CPUID_KVM_EDX		0x0000004du
#define V3_CPUID_KVM_EAX_NOP_IO_DELAY	(1u << 1)	/* ports need no pauses */
#define V3_CPUID_KVM_EAX_CLOCK		(1u << 3)	/* by the MSRs from 4b56_4d00 on */
#define V3_CPUID_KVM_EAX_CLOCK_STABLE	(1u << 24)	/* the record's flag may be trusted */

/* Leaf 8000_0007, EDX */
#define V3_CPUID_80000007_EDX_INVARIANT_TSC (1u << 8)

/* Leaf 8000_0008 */
#define V3_CPUID_80000008_EAX_PA_MASK	0x000000ffu	/* physical address bits */
#define V3_CPUID_80000008_EAX_VA_SHIFT	8		/* linear address bits */
#define V3_CPUID_80000008_EAX_VA_MASK	0x0000ff00u
#define V3_CPUID_80000008_EAX_GPA_SHIFT	16		/* guest physical bits, 0: as PA */
#define V3_CPUID_80000008_ECX_ID_SIZE_SHIFT 12	/* bits of an APIC ID within a package */
#define V3_CPUID_80000008_EBX_CLZERO	(1u << 0)
#define V3_CPUID_80000008_EBX_IRPERF	(1u << 1)
#define V3_CPUID_80000008_EBX_XSAVEERPTR (1u << 2)
#define V3_CPUID_80000008_EBX_RDPRU	(1u << 4)
#define V3_CPUID_80000008_EBX_MCOMMIT	(1u << 8)
#define V3_CPUID_80000008_EBX_WBNOINVD	(1u << 9)
#define V3_CPUID_80000008_EBX_IBPB	(1u << 12)
#define V3_CPUID_80000008_EBX_INT_WBINVD (1u << 13)
#define V3_CPUID_80000008_EBX_IBRS	(1u << 14)
#define V3_CPUID_80000008_EBX_STIBP	(1u << 15)
#define V3_CPUID_80000008_EBX_EFERLMSLE_UNSUPPORTED (1u << 20)
#define V3_CPUID_80000008_EBX_SSBD	(1u << 24)
#define V3_CPUID_80000008_EBX_VIRT_SSBD	(1u << 25)
#define V3_CPUID_80000008_EBX_SSB_NO	(1u << 26)

/* Leaf 8000_000A: SVM. EAX 7:0 revision, EBX number of ASIDs */
#define V3_CPUID_SVM_EAX_REV_MASK	0xffu
#define V3_CPUID_SVM_EDX_NPT		(1u << 0)
#define V3_CPUID_SVM_EDX_LBRV		(1u << 1)
#define V3_CPUID_SVM_EDX_SVML		(1u << 2)	/* SVM lock */
#define V3_CPUID_SVM_EDX_NRIPS		(1u << 3)
#define V3_CPUID_SVM_EDX_TSC_RATE	(1u << 4)
#define V3_CPUID_SVM_EDX_CLEAN_BITS	(1u << 5)
#define V3_CPUID_SVM_EDX_FLUSH_BY_ASID	(1u << 6)
#define V3_CPUID_SVM_EDX_DECODE_ASSISTS	(1u << 7)
#define V3_CPUID_SVM_EDX_PAUSE_FILTER	(1u << 10)
#define V3_CPUID_SVM_EDX_PAUSE_THRESHOLD (1u << 12)
#define V3_CPUID_SVM_EDX_AVIC		(1u << 13)
#define V3_CPUID_SVM_EDX_VMSAVE_VIRT	(1u << 15)
#define V3_CPUID_SVM_EDX_VGIF		(1u << 16)
#define V3_CPUID_SVM_EDX_GMET		(1u << 17)
#define V3_CPUID_SVM_EDX_X2AVIC		(1u << 18)
#define V3_CPUID_SVM_EDX_SSS_CHECK	(1u << 19)
#define V3_CPUID_SVM_EDX_SPEC_CTRL	(1u << 20)
#define V3_CPUID_SVM_EDX_ROGPT		(1u << 21)
#define V3_CPUID_SVM_EDX_HOST_MCE	(1u << 23)
#define V3_CPUID_SVM_EDX_TLB_CTL	(1u << 24)	/* INVLPGB, TLBSYNC intercepts */
#define V3_CPUID_SVM_EDX_VNMI		(1u << 25)
#define V3_CPUID_SVM_EDX_IBS_VIRT	(1u << 26)

#endif
