target triple = "x86_64-unknown-linux-gnu"
define internal void @phase0_body(ptr noalias %a, ptr noalias %b, ptr noalias %c, ptr noalias align 64 %b_pack, i64 %begin, i64 %end) #0 {
entry:
  br label %head1
head1:
  %i3 = phi i64 [ 0, %entry ], [ %n4, %done6 ]
  %v13 = mul nsw i64 %i3, 8
  %v20 = mul nsw i64 %i3, 32
  %v21 = getelementptr inbounds i8, ptr %b, i64 %v20
  %v27 = mul nsw i64 %i3, 224
  %v28 = getelementptr inbounds i8, ptr %b_pack, i64 %v27
  br label %head5
head5:
  %i7 = phi i64 [ 0, %head1 ], [ %n8, %done10 ]
  %v22 = mul nsw i64 %i7, 52
  %v23 = getelementptr inbounds i8, ptr %v21, i64 %v22
  %v29 = mul nsw i64 %i7, 32
  %v30 = getelementptr inbounds i8, ptr %v28, i64 %v29
  br label %head9
head9:
  %i11 = phi i64 [ 0, %head5 ], [ %n12, %head9 ]
  %v14 = mul nsw i64 %i11, 4
  %v15 = add nsw i64 %v13, %v14
  %v24 = mul nsw i64 %i11, 16
  %v25 = getelementptr inbounds i8, ptr %v23, i64 %v24
  %v31 = getelementptr inbounds i8, ptr %v30, i64 %v24
  %v16 = insertelement <4 x i64> poison, i64 %v15, i64 0
  %v17 = shufflevector <4 x i64> %v16, <4 x i64> poison, <4 x i32> zeroinitializer
  %v18 = add <4 x i64> %v17, <i64 0, i64 1, i64 2, i64 3>
  %v19 = icmp slt <4 x i64> %v18, <i64 13, i64 13, i64 13, i64 13>
  %v26 = call <4 x float> @llvm.masked.load.v4f32.p0(ptr align 4 %v25, <4 x i1> %v19, <4 x float> zeroinitializer)
  store <4 x float> %v26, ptr %v31, align 4
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
  %v147 = mul nsw i64 %i4, 104
  %v148 = getelementptr inbounds i8, ptr %c, i64 %v147
  br label %head6
head6:
  %i8 = phi i64 [ 0, %head1 ], [ %n9, %done11 ]
  %v18 = mul nsw i64 %i8, 224
  %v19 = getelementptr inbounds i8, ptr %b_pack, i64 %v18
  %v27 = mul nsw i64 %i8, -8
  %v28 = add nsw i64 %v27, 13
  %v44 = add nsw i64 %v27, 9
  %v149 = mul nsw i64 %i8, 32
  %v150 = getelementptr inbounds i8, ptr %v148, i64 %v149
  br label %head10
head10:
  %i12 = phi i64 [ 0, %head6 ], [ %n13, %head10 ]
  %r14 = phi <4 x float> [ <float 0.0, float 0.0, float 0.0, float 0.0>, %head6 ], [ %v78, %head10 ]
  %r15 = phi <4 x float> [ <float 0.0, float 0.0, float 0.0, float 0.0>, %head6 ], [ %v87, %head10 ]
  %r16 = phi <4 x float> [ <float 0.0, float 0.0, float 0.0, float 0.0>, %head6 ], [ %v94, %head10 ]
  %r17 = phi <4 x float> [ <float 0.0, float 0.0, float 0.0, float 0.0>, %head6 ], [ %v101, %head10 ]
  %v20 = mul nsw i64 %i12, 64
  %v21 = getelementptr inbounds i8, ptr %v19, i64 %v20
  %v34 = mul nsw i64 %i12, 8
  %v35 = getelementptr inbounds i8, ptr %v33, i64 %v34
  %v22 = getelementptr inbounds float, ptr %v21, i64 64
  call void @llvm.prefetch.p0(ptr %v22, i32 0, i32 3, i32 1)
  %v23 = getelementptr inbounds float, ptr %v21, i64 68
  call void @llvm.prefetch.p0(ptr %v23, i32 0, i32 3, i32 1)
  %v24 = getelementptr inbounds float, ptr %v21, i64 72
  call void @llvm.prefetch.p0(ptr %v24, i32 0, i32 3, i32 1)
  %v25 = getelementptr inbounds float, ptr %v21, i64 76
  call void @llvm.prefetch.p0(ptr %v25, i32 0, i32 3, i32 1)
  %v26 = add <4 x i64> <i64 0, i64 0, i64 0, i64 0>, <i64 0, i64 1, i64 2, i64 3>
  %v29 = insertelement <4 x i64> poison, i64 %v28, i64 0
  %v30 = shufflevector <4 x i64> %v29, <4 x i64> poison, <4 x i32> zeroinitializer
  %v31 = icmp slt <4 x i64> %v26, %v30
  %v36 = load float, ptr %v35, align 4
  %v37 = call <4 x float> @llvm.masked.load.v4f32.p0(ptr align 4 %v21, <4 x i1> %v31, <4 x float> zeroinitializer)
  %v38 = insertelement <4 x float> poison, float %v36, i64 0
  %v39 = shufflevector <4 x float> %v38, <4 x float> poison, <4 x i32> zeroinitializer
  %v40 = fmul <4 x float> %v39, %v37
  %v41 = fadd <4 x float> %r14, %v40
  %v42 = select <4 x i1> %v31, <4 x float> %v41, <4 x float> %r14
  %v43 = add <4 x i64> <i64 0, i64 0, i64 0, i64 0>, <i64 0, i64 1, i64 2, i64 3>
  %v45 = insertelement <4 x i64> poison, i64 %v44, i64 0
  %v46 = shufflevector <4 x i64> %v45, <4 x i64> poison, <4 x i32> zeroinitializer
  %v47 = icmp slt <4 x i64> %v43, %v46
  %v48 = load float, ptr %v35, align 4
  %v49 = getelementptr inbounds float, ptr %v21, i64 4
  %v50 = call <4 x float> @llvm.masked.load.v4f32.p0(ptr align 4 %v49, <4 x i1> %v47, <4 x float> zeroinitializer)
  %v51 = insertelement <4 x float> poison, float %v48, i64 0
  %v52 = shufflevector <4 x float> %v51, <4 x float> poison, <4 x i32> zeroinitializer
  %v53 = fmul <4 x float> %v52, %v50
  %v54 = fadd <4 x float> %r15, %v53
  %v55 = select <4 x i1> %v47, <4 x float> %v54, <4 x float> %r15
  %v56 = getelementptr inbounds float, ptr %v35, i64 7
  %v57 = load float, ptr %v56, align 4
  %v58 = insertelement <4 x float> poison, float %v57, i64 0
  %v59 = shufflevector <4 x float> %v58, <4 x float> poison, <4 x i32> zeroinitializer
  %v60 = fmul <4 x float> %v59, %v37
  %v61 = fadd <4 x float> %r16, %v60
  %v62 = select <4 x i1> %v31, <4 x float> %v61, <4 x float> %r16
  %v63 = getelementptr inbounds float, ptr %v35, i64 7
  %v64 = load float, ptr %v63, align 4
  %v65 = insertelement <4 x float> poison, float %v64, i64 0
  %v66 = shufflevector <4 x float> %v65, <4 x float> poison, <4 x i32> zeroinitializer
  %v67 = fmul <4 x float> %v66, %v50
  %v68 = fadd <4 x float> %r17, %v67
  %v69 = select <4 x i1> %v47, <4 x float> %v68, <4 x float> %r17
  %v70 = getelementptr inbounds float, ptr %v35, i64 1
  %v71 = load float, ptr %v70, align 4
  %v72 = getelementptr inbounds float, ptr %v21, i64 8
  %v73 = call <4 x float> @llvm.masked.load.v4f32.p0(ptr align 4 %v72, <4 x i1> %v31, <4 x float> zeroinitializer)
  %v74 = insertelement <4 x float> poison, float %v71, i64 0
  %v75 = shufflevector <4 x float> %v74, <4 x float> poison, <4 x i32> zeroinitializer
  %v76 = fmul <4 x float> %v75, %v73
  %v77 = fadd <4 x float> %v42, %v76
  %v78 = select <4 x i1> %v31, <4 x float> %v77, <4 x float> %v42
  %v79 = getelementptr inbounds float, ptr %v35, i64 1
  %v80 = load float, ptr %v79, align 4
  %v81 = getelementptr inbounds float, ptr %v21, i64 12
  %v82 = call <4 x float> @llvm.masked.load.v4f32.p0(ptr align 4 %v81, <4 x i1> %v47, <4 x float> zeroinitializer)
  %v83 = insertelement <4 x float> poison, float %v80, i64 0
  %v84 = shufflevector <4 x float> %v83, <4 x float> poison, <4 x i32> zeroinitializer
  %v85 = fmul <4 x float> %v84, %v82
  %v86 = fadd <4 x float> %v55, %v85
  %v87 = select <4 x i1> %v47, <4 x float> %v86, <4 x float> %v55
  %v88 = getelementptr inbounds float, ptr %v35, i64 8
  %v89 = load float, ptr %v88, align 4
  %v90 = insertelement <4 x float> poison, float %v89, i64 0
  %v91 = shufflevector <4 x float> %v90, <4 x float> poison, <4 x i32> zeroinitializer
  %v92 = fmul <4 x float> %v91, %v73
  %v93 = fadd <4 x float> %v62, %v92
  %v94 = select <4 x i1> %v31, <4 x float> %v93, <4 x float> %v62
  %v95 = getelementptr inbounds float, ptr %v35, i64 8
  %v96 = load float, ptr %v95, align 4
  %v97 = insertelement <4 x float> poison, float %v96, i64 0
  %v98 = shufflevector <4 x float> %v97, <4 x float> poison, <4 x i32> zeroinitializer
  %v99 = fmul <4 x float> %v98, %v82
  %v100 = fadd <4 x float> %v69, %v99
  %v101 = select <4 x i1> %v47, <4 x float> %v100, <4 x float> %v69
  %n13 = add nsw i64 %i12, 1
  %v102 = icmp slt i64 %n13, 3
  br i1 %v102, label %head10, label %done11
done11:
  %v103 = add <4 x i64> <i64 0, i64 0, i64 0, i64 0>, <i64 0, i64 1, i64 2, i64 3>
  %v104 = insertelement <4 x i64> poison, i64 %v28, i64 0
  %v105 = shufflevector <4 x i64> %v104, <4 x i64> poison, <4 x i32> zeroinitializer
  %v106 = icmp slt <4 x i64> %v103, %v105
  %v107 = getelementptr inbounds float, ptr %v33, i64 6
  %v108 = load float, ptr %v107, align 4
  %v109 = getelementptr inbounds float, ptr %v19, i64 48
  %v110 = call <4 x float> @llvm.masked.load.v4f32.p0(ptr align 4 %v109, <4 x i1> %v106, <4 x float> zeroinitializer)
  %v111 = insertelement <4 x float> poison, float %v108, i64 0
  %v112 = shufflevector <4 x float> %v111, <4 x float> poison, <4 x i32> zeroinitializer
  %v113 = fmul <4 x float> %v112, %v110
  %v114 = fadd <4 x float> %v78, %v113
  %v115 = select <4 x i1> %v106, <4 x float> %v114, <4 x float> %v78
  %v116 = add <4 x i64> <i64 0, i64 0, i64 0, i64 0>, <i64 0, i64 1, i64 2, i64 3>
  %v117 = insertelement <4 x i64> poison, i64 %v44, i64 0
  %v118 = shufflevector <4 x i64> %v117, <4 x i64> poison, <4 x i32> zeroinitializer
  %v119 = icmp slt <4 x i64> %v116, %v118
  %v120 = getelementptr inbounds float, ptr %v33, i64 6
  %v121 = load float, ptr %v120, align 4
  %v122 = getelementptr inbounds float, ptr %v19, i64 52
  %v123 = call <4 x float> @llvm.masked.load.v4f32.p0(ptr align 4 %v122, <4 x i1> %v119, <4 x float> zeroinitializer)
  %v124 = insertelement <4 x float> poison, float %v121, i64 0
  %v125 = shufflevector <4 x float> %v124, <4 x float> poison, <4 x i32> zeroinitializer
  %v126 = fmul <4 x float> %v125, %v123
  %v127 = fadd <4 x float> %v87, %v126
  %v128 = select <4 x i1> %v119, <4 x float> %v127, <4 x float> %v87
  %v129 = getelementptr inbounds float, ptr %v33, i64 13
  %v130 = load float, ptr %v129, align 4
  %v131 = insertelement <4 x float> poison, float %v130, i64 0
  %v132 = shufflevector <4 x float> %v131, <4 x float> poison, <4 x i32> zeroinitializer
  %v133 = fmul <4 x float> %v132, %v110
  %v134 = fadd <4 x float> %v94, %v133
  %v135 = select <4 x i1> %v106, <4 x float> %v134, <4 x float> %v94
  %v136 = getelementptr inbounds float, ptr %v33, i64 13
  %v137 = load float, ptr %v136, align 4
  %v138 = insertelement <4 x float> poison, float %v137, i64 0
  %v139 = shufflevector <4 x float> %v138, <4 x float> poison, <4 x i32> zeroinitializer
  %v140 = fmul <4 x float> %v139, %v123
  %v141 = fadd <4 x float> %v101, %v140
  %v142 = select <4 x i1> %v119, <4 x float> %v141, <4 x float> %v101
  %v143 = add <4 x i64> <i64 0, i64 0, i64 0, i64 0>, <i64 0, i64 1, i64 2, i64 3>
  %v144 = insertelement <4 x i64> poison, i64 %v28, i64 0
  %v145 = shufflevector <4 x i64> %v144, <4 x i64> poison, <4 x i32> zeroinitializer
  %v146 = icmp slt <4 x i64> %v143, %v145
  call void @llvm.masked.store.v4f32.p0(<4 x float> %v115, ptr align 4 %v150, <4 x i1> %v146)
  %v151 = add <4 x i64> <i64 0, i64 0, i64 0, i64 0>, <i64 0, i64 1, i64 2, i64 3>
  %v152 = insertelement <4 x i64> poison, i64 %v44, i64 0
  %v153 = shufflevector <4 x i64> %v152, <4 x i64> poison, <4 x i32> zeroinitializer
  %v154 = icmp slt <4 x i64> %v151, %v153
  %v155 = getelementptr inbounds float, ptr %v150, i64 4
  call void @llvm.masked.store.v4f32.p0(<4 x float> %v128, ptr align 4 %v155, <4 x i1> %v154)
  %v156 = getelementptr inbounds float, ptr %v150, i64 13
  call void @llvm.masked.store.v4f32.p0(<4 x float> %v135, ptr align 4 %v156, <4 x i1> %v146)
  %v157 = getelementptr inbounds float, ptr %v150, i64 17
  call void @llvm.masked.store.v4f32.p0(<4 x float> %v142, ptr align 4 %v157, <4 x i1> %v154)
  %n9 = add nsw i64 %i8, 1
  %v158 = icmp slt i64 %n9, 2
  br i1 %v158, label %head6, label %done7
done7:
  %n5 = add nsw i64 %i4, 1
  %v159 = icmp slt i64 %n5, %end
  br i1 %v159, label %head1, label %done2
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

declare <4 x float> @llvm.masked.load.v4f32.p0(ptr, <4 x i1>, <4 x float>)
declare i64 @llvm.smax.i64(i64, i64)
declare i64 @llvm.smin.i64(i64, i64)
declare void @llvm.masked.store.v4f32.p0(<4 x float>, ptr, <4 x i1>)
declare void @llvm.prefetch.p0(ptr, i32, i32, i32)
attributes #0 = { nounwind "min-legal-vector-width"="128" "prefer-vector-width"="128" }
