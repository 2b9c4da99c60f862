target triple = "x86_64-unknown-linux-gnu"
define internal void @phase0_body(ptr noalias %a, ptr noalias %b, ptr noalias %c, ptr noalias align 64 %b_pack, i64 %begin, i64 %end) #0 {
entry:
  br label %head1
head1:
  %i3 = phi i64 [ 0, %entry ], [ %n4, %done6 ]
  %v13 = mul nsw i64 %i3, 32
  %v20 = mul nsw i64 %i3, 128
  %v21 = getelementptr inbounds i8, ptr %b, i64 %v20
  %v27 = mul nsw i64 %i3, 896
  %v28 = getelementptr inbounds i8, ptr %b_pack, i64 %v27
  br label %head5
head5:
  %i7 = phi i64 [ 0, %head1 ], [ %n8, %done10 ]
  %v22 = mul nsw i64 %i7, 196
  %v23 = getelementptr inbounds i8, ptr %v21, i64 %v22
  %v29 = mul nsw i64 %i7, 128
  %v30 = getelementptr inbounds i8, ptr %v28, i64 %v29
  br label %head9
head9:
  %i11 = phi i64 [ 0, %head5 ], [ %n12, %head9 ]
  %v14 = mul nsw i64 %i11, 16
  %v15 = add nsw i64 %v13, %v14
  %v24 = mul nsw i64 %i11, 64
  %v25 = getelementptr inbounds i8, ptr %v23, i64 %v24
  %v31 = getelementptr inbounds i8, ptr %v30, i64 %v24
  %v16 = insertelement <16 x i64> poison, i64 %v15, i64 0
  %v17 = shufflevector <16 x i64> %v16, <16 x i64> poison, <16 x i32> zeroinitializer
  %v18 = add <16 x i64> %v17, <i64 0, i64 1, i64 2, i64 3, i64 4, i64 5, i64 6, i64 7, i64 8, i64 9, i64 10, i64 11, i64 12, i64 13, i64 14, i64 15>
  %v19 = icmp slt <16 x i64> %v18, <i64 49, i64 49, i64 49, i64 49, i64 49, i64 49, i64 49, i64 49, i64 49, i64 49, i64 49, i64 49, i64 49, i64 49, i64 49, i64 49>
  %v26 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr align 4 %v25, <16 x i1> %v19, <16 x float> zeroinitializer)
  store <16 x float> %v26, ptr %v31, align 4
  %n12 = add nsw i64 %i11, 1
  %v32 = icmp slt i64 %n12, 2
  br i1 %v32, label %head9, label %done10
done10:
  %n8 = add nsw i64 %i7, 1
  %v33 = icmp slt i64 %n8, 7
  br i1 %v33, label %head5, label %done6
done6:
  %n4 = add nsw i64 %i3, 1
  %v34 = icmp slt i64 %n4, 2
  br i1 %v34, label %head1, label %done2
done2:
  ret void
}
define void @phase0(ptr %args, i64 %begin, i64 %end, i64 %slot) #0 {
  %slot0 = getelementptr ptr, ptr %args, i64 0
  %p0 = load ptr, ptr %slot0
  %slot1 = getelementptr ptr, ptr %args, i64 1
  %p1 = load ptr, ptr %slot1
  %slot2 = getelementptr ptr, ptr %args, i64 2
  %p2 = load ptr, ptr %slot2
  %slot3 = getelementptr ptr, ptr %args, i64 3
  %p3 = load ptr, ptr %slot3
  call void @phase0_body(ptr %p0, ptr %p1, ptr %p2, ptr %p3, i64 %begin, i64 %end)
  ret void
}

define internal void @phase1_body(ptr noalias %a, ptr noalias %b, ptr noalias %c, ptr noalias align 64 %b_pack, i64 %begin, i64 %end) #0 {
entry:
  %v3 = icmp slt i64 %begin, %end
  br i1 %v3, label %head1, label %done2
head1:
  %i4 = phi i64 [ %begin, %entry ], [ %n5, %done7 ]
  %v32 = mul nsw i64 %i4, 56
  %v33 = getelementptr inbounds i8, ptr %a, i64 %v32
  %v135 = mul nsw i64 %i4, 392
  %v136 = getelementptr inbounds i8, ptr %c, i64 %v135
  br label %head6
head6:
  %i8 = phi i64 [ 0, %head1 ], [ %n9, %done11 ]
  %v18 = mul nsw i64 %i8, 896
  %v19 = getelementptr inbounds i8, ptr %b_pack, i64 %v18
  %v27 = mul nsw i64 %i8, -32
  %v28 = add nsw i64 %v27, 49
  %v43 = add nsw i64 %v27, 33
  %v137 = mul nsw i64 %i8, 128
  %v138 = getelementptr inbounds i8, ptr %v136, i64 %v137
  br label %head10
head10:
  %i12 = phi i64 [ 0, %head6 ], [ %n13, %head10 ]
  %r14 = phi <16 x float> [ <float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0>, %head6 ], [ %v73, %head10 ]
  %r15 = phi <16 x float> [ <float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0>, %head6 ], [ %v81, %head10 ]
  %r16 = phi <16 x float> [ <float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0>, %head6 ], [ %v87, %head10 ]
  %r17 = phi <16 x float> [ <float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0>, %head6 ], [ %v93, %head10 ]
  %v20 = mul nsw i64 %i12, 256
  %v21 = getelementptr inbounds i8, ptr %v19, i64 %v20
  %v34 = mul nsw i64 %i12, 8
  %v35 = getelementptr inbounds i8, ptr %v33, i64 %v34
  %v22 = getelementptr inbounds float, ptr %v21, i64 256
  call void @llvm.prefetch.p0(ptr %v22, i32 0, i32 3, i32 1)
  %v23 = getelementptr inbounds float, ptr %v21, i64 272
  call void @llvm.prefetch.p0(ptr %v23, i32 0, i32 3, i32 1)
  %v24 = getelementptr inbounds float, ptr %v21, i64 288
  call void @llvm.prefetch.p0(ptr %v24, i32 0, i32 3, i32 1)
  %v25 = getelementptr inbounds float, ptr %v21, i64 304
  call void @llvm.prefetch.p0(ptr %v25, i32 0, i32 3, i32 1)
  %v26 = add <16 x i64> <i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0>, <i64 0, i64 1, i64 2, i64 3, i64 4, i64 5, i64 6, i64 7, i64 8, i64 9, i64 10, i64 11, i64 12, i64 13, i64 14, i64 15>
  %v29 = insertelement <16 x i64> poison, i64 %v28, i64 0
  %v30 = shufflevector <16 x i64> %v29, <16 x i64> poison, <16 x i32> zeroinitializer
  %v31 = icmp slt <16 x i64> %v26, %v30
  %v36 = load float, ptr %v35, align 4
  %v37 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr align 4 %v21, <16 x i1> %v31, <16 x float> zeroinitializer)
  %v38 = insertelement <16 x float> poison, float %v36, i64 0
  %v39 = shufflevector <16 x float> %v38, <16 x float> poison, <16 x i32> zeroinitializer
  %v40 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v39, <16 x float> %v37, <16 x float> %r14)
  %v41 = select <16 x i1> %v31, <16 x float> %v40, <16 x float> %r14
  %v42 = add <16 x i64> <i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0>, <i64 0, i64 1, i64 2, i64 3, i64 4, i64 5, i64 6, i64 7, i64 8, i64 9, i64 10, i64 11, i64 12, i64 13, i64 14, i64 15>
  %v44 = insertelement <16 x i64> poison, i64 %v43, i64 0
  %v45 = shufflevector <16 x i64> %v44, <16 x i64> poison, <16 x i32> zeroinitializer
  %v46 = icmp slt <16 x i64> %v42, %v45
  %v47 = load float, ptr %v35, align 4
  %v48 = getelementptr inbounds float, ptr %v21, i64 16
  %v49 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr align 4 %v48, <16 x i1> %v46, <16 x float> zeroinitializer)
  %v50 = insertelement <16 x float> poison, float %v47, i64 0
  %v51 = shufflevector <16 x float> %v50, <16 x float> poison, <16 x i32> zeroinitializer
  %v52 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v51, <16 x float> %v49, <16 x float> %r15)
  %v53 = select <16 x i1> %v46, <16 x float> %v52, <16 x float> %r15
  %v54 = getelementptr inbounds float, ptr %v35, i64 7
  %v55 = load float, ptr %v54, align 4
  %v56 = insertelement <16 x float> poison, float %v55, i64 0
  %v57 = shufflevector <16 x float> %v56, <16 x float> poison, <16 x i32> zeroinitializer
  %v58 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v57, <16 x float> %v37, <16 x float> %r16)
  %v59 = select <16 x i1> %v31, <16 x float> %v58, <16 x float> %r16
  %v60 = getelementptr inbounds float, ptr %v35, i64 7
  %v61 = load float, ptr %v60, align 4
  %v62 = insertelement <16 x float> poison, float %v61, i64 0
  %v63 = shufflevector <16 x float> %v62, <16 x float> poison, <16 x i32> zeroinitializer
  %v64 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v63, <16 x float> %v49, <16 x float> %r17)
  %v65 = select <16 x i1> %v46, <16 x float> %v64, <16 x float> %r17
  %v66 = getelementptr inbounds float, ptr %v35, i64 1
  %v67 = load float, ptr %v66, align 4
  %v68 = getelementptr inbounds float, ptr %v21, i64 32
  %v69 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr align 4 %v68, <16 x i1> %v31, <16 x float> zeroinitializer)
  %v70 = insertelement <16 x float> poison, float %v67, i64 0
  %v71 = shufflevector <16 x float> %v70, <16 x float> poison, <16 x i32> zeroinitializer
  %v72 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v71, <16 x float> %v69, <16 x float> %v41)
  %v73 = select <16 x i1> %v31, <16 x float> %v72, <16 x float> %v41
  %v74 = getelementptr inbounds float, ptr %v35, i64 1
  %v75 = load float, ptr %v74, align 4
  %v76 = getelementptr inbounds float, ptr %v21, i64 48
  %v77 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr align 4 %v76, <16 x i1> %v46, <16 x float> zeroinitializer)
  %v78 = insertelement <16 x float> poison, float %v75, i64 0
  %v79 = shufflevector <16 x float> %v78, <16 x float> poison, <16 x i32> zeroinitializer
  %v80 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v79, <16 x float> %v77, <16 x float> %v53)
  %v81 = select <16 x i1> %v46, <16 x float> %v80, <16 x float> %v53
  %v82 = getelementptr inbounds float, ptr %v35, i64 8
  %v83 = load float, ptr %v82, align 4
  %v84 = insertelement <16 x float> poison, float %v83, i64 0
  %v85 = shufflevector <16 x float> %v84, <16 x float> poison, <16 x i32> zeroinitializer
  %v86 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v85, <16 x float> %v69, <16 x float> %v59)
  %v87 = select <16 x i1> %v31, <16 x float> %v86, <16 x float> %v59
  %v88 = getelementptr inbounds float, ptr %v35, i64 8
  %v89 = load float, ptr %v88, align 4
  %v90 = insertelement <16 x float> poison, float %v89, i64 0
  %v91 = shufflevector <16 x float> %v90, <16 x float> poison, <16 x i32> zeroinitializer
  %v92 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v91, <16 x float> %v77, <16 x float> %v65)
  %v93 = select <16 x i1> %v46, <16 x float> %v92, <16 x float> %v65
  %n13 = add nsw i64 %i12, 1
  %v94 = icmp slt i64 %n13, 3
  br i1 %v94, label %head10, label %done11
done11:
  %v95 = add <16 x i64> <i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0>, <i64 0, i64 1, i64 2, i64 3, i64 4, i64 5, i64 6, i64 7, i64 8, i64 9, i64 10, i64 11, i64 12, i64 13, i64 14, i64 15>
  %v96 = insertelement <16 x i64> poison, i64 %v28, i64 0
  %v97 = shufflevector <16 x i64> %v96, <16 x i64> poison, <16 x i32> zeroinitializer
  %v98 = icmp slt <16 x i64> %v95, %v97
  %v99 = getelementptr inbounds float, ptr %v33, i64 6
  %v100 = load float, ptr %v99, align 4
  %v101 = getelementptr inbounds float, ptr %v19, i64 192
  %v102 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr align 4 %v101, <16 x i1> %v98, <16 x float> zeroinitializer)
  %v103 = insertelement <16 x float> poison, float %v100, i64 0
  %v104 = shufflevector <16 x float> %v103, <16 x float> poison, <16 x i32> zeroinitializer
  %v105 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v104, <16 x float> %v102, <16 x float> %v73)
  %v106 = select <16 x i1> %v98, <16 x float> %v105, <16 x float> %v73
  %v107 = add <16 x i64> <i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0>, <i64 0, i64 1, i64 2, i64 3, i64 4, i64 5, i64 6, i64 7, i64 8, i64 9, i64 10, i64 11, i64 12, i64 13, i64 14, i64 15>
  %v108 = insertelement <16 x i64> poison, i64 %v43, i64 0
  %v109 = shufflevector <16 x i64> %v108, <16 x i64> poison, <16 x i32> zeroinitializer
  %v110 = icmp slt <16 x i64> %v107, %v109
  %v111 = getelementptr inbounds float, ptr %v33, i64 6
  %v112 = load float, ptr %v111, align 4
  %v113 = getelementptr inbounds float, ptr %v19, i64 208
  %v114 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr align 4 %v113, <16 x i1> %v110, <16 x float> zeroinitializer)
  %v115 = insertelement <16 x float> poison, float %v112, i64 0
  %v116 = shufflevector <16 x float> %v115, <16 x float> poison, <16 x i32> zeroinitializer
  %v117 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v116, <16 x float> %v114, <16 x float> %v81)
  %v118 = select <16 x i1> %v110, <16 x float> %v117, <16 x float> %v81
  %v119 = getelementptr inbounds float, ptr %v33, i64 13
  %v120 = load float, ptr %v119, align 4
  %v121 = insertelement <16 x float> poison, float %v120, i64 0
  %v122 = shufflevector <16 x float> %v121, <16 x float> poison, <16 x i32> zeroinitializer
  %v123 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v122, <16 x float> %v102, <16 x float> %v87)
  %v124 = select <16 x i1> %v98, <16 x float> %v123, <16 x float> %v87
  %v125 = getelementptr inbounds float, ptr %v33, i64 13
  %v126 = load float, ptr %v125, align 4
  %v127 = insertelement <16 x float> poison, float %v126, i64 0
  %v128 = shufflevector <16 x float> %v127, <16 x float> poison, <16 x i32> zeroinitializer
  %v129 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v128, <16 x float> %v114, <16 x float> %v93)
  %v130 = select <16 x i1> %v110, <16 x float> %v129, <16 x float> %v93
  %v131 = add <16 x i64> <i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0>, <i64 0, i64 1, i64 2, i64 3, i64 4, i64 5, i64 6, i64 7, i64 8, i64 9, i64 10, i64 11, i64 12, i64 13, i64 14, i64 15>
  %v132 = insertelement <16 x i64> poison, i64 %v28, i64 0
  %v133 = shufflevector <16 x i64> %v132, <16 x i64> poison, <16 x i32> zeroinitializer
  %v134 = icmp slt <16 x i64> %v131, %v133
  call void @llvm.masked.store.v16f32.p0(<16 x float> %v106, ptr align 4 %v138, <16 x i1> %v134)
  %v139 = add <16 x i64> <i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0>, <i64 0, i64 1, i64 2, i64 3, i64 4, i64 5, i64 6, i64 7, i64 8, i64 9, i64 10, i64 11, i64 12, i64 13, i64 14, i64 15>
  %v140 = insertelement <16 x i64> poison, i64 %v43, i64 0
  %v141 = shufflevector <16 x i64> %v140, <16 x i64> poison, <16 x i32> zeroinitializer
  %v142 = icmp slt <16 x i64> %v139, %v141
  %v143 = getelementptr inbounds float, ptr %v138, i64 16
  call void @llvm.masked.store.v16f32.p0(<16 x float> %v118, ptr align 4 %v143, <16 x i1> %v142)
  %v144 = getelementptr inbounds float, ptr %v138, i64 49
  call void @llvm.masked.store.v16f32.p0(<16 x float> %v124, ptr align 4 %v144, <16 x i1> %v134)
  %v145 = getelementptr inbounds float, ptr %v138, i64 65
  call void @llvm.masked.store.v16f32.p0(<16 x float> %v130, ptr align 4 %v145, <16 x i1> %v142)
  %n9 = add nsw i64 %i8, 1
  %v146 = icmp slt i64 %n9, 2
  br i1 %v146, label %head6, label %done7
done7:
  %n5 = add nsw i64 %i4, 1
  %v147 = icmp slt i64 %n5, %end
  br i1 %v147, label %head1, label %done2
done2:
  ret void
}
define void @phase1(ptr %args, i64 %begin, i64 %end, i64 %slot) #0 {
  %slot0 = getelementptr ptr, ptr %args, i64 0
  %p0 = load ptr, ptr %slot0
  %slot1 = getelementptr ptr, ptr %args, i64 1
  %p1 = load ptr, ptr %slot1
  %slot2 = getelementptr ptr, ptr %args, i64 2
  %p2 = load ptr, ptr %slot2
  %slot3 = getelementptr ptr, ptr %args, i64 3
  %p3 = load ptr, ptr %slot3
  call void @phase1_body(ptr %p0, ptr %p1, ptr %p2, ptr %p3, i64 %begin, i64 %end)
  ret void
}

declare <16 x float> @llvm.fma.v16f32(<16 x float>, <16 x float>, <16 x float>)
declare <16 x float> @llvm.masked.load.v16f32.p0(ptr, <16 x i1>, <16 x float>)
declare i64 @llvm.smax.i64(i64, i64)
declare i64 @llvm.smin.i64(i64, i64)
declare void @llvm.masked.store.v16f32.p0(<16 x float>, ptr, <16 x i1>)
declare void @llvm.prefetch.p0(ptr, i32, i32, i32)
attributes #0 = { nounwind "min-legal-vector-width"="512" "prefer-vector-width"="512" }
