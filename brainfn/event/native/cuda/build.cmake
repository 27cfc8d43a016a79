# Runs nvcc on the CUDA kernels; what goes wrong is a warning. Called with -DNVCC, SOURCE, INCLUDE, HOST, OUTPUT and
# ARCHITECTURES (empty: all of the list below that this nvcc knows). Code for 8.0 runs on 8.6 and 8.9 too, and so on;
# the oldest is there as PTX also, which any GPU that is not listed compiles when it loads it.
cmake_minimum_required(VERSION 3.18)
file(REMOVE "${OUTPUT}")

if(NOT ARCHITECTURES)
  execute_process(COMMAND "${NVCC}" --list-gpu-arch OUTPUT_VARIABLE KNOWN RESULT_VARIABLE FAILED ERROR_QUIET)
  foreach(ARCHITECTURE 75 80 90 100 120)
    if(NOT FAILED AND KNOWN MATCHES "compute_${ARCHITECTURE}\n")
      list(APPEND ARCHITECTURES ${ARCHITECTURE})
    endif()
  endforeach()
endif()
if(NOT ARCHITECTURES)
  message(WARNING "brainfn: ${NVCC} knows no architecture that the CUDA kernels are for; they are left out.")
  return()
endif()

list(POP_FRONT ARCHITECTURES OLDEST)
set(TARGETS -gencode "arch=compute_${OLDEST},code=[compute_${OLDEST},sm_${OLDEST}]")
foreach(ARCHITECTURE IN LISTS ARCHITECTURES)
  list(APPEND TARGETS -gencode "arch=compute_${ARCHITECTURE},code=sm_${ARCHITECTURE}")
endforeach()

execute_process(
  COMMAND "${NVCC}" -std=c++17 -O3 --threads 0 -shared -cudart static -ccbin "${HOST}" -isystem "${INCLUDE}"
    -Xcompiler -fPIC,-fvisibility=hidden ${TARGETS} "${SOURCE}/handlers.cc" "${SOURCE}/launch.cu" -o "${OUTPUT}"
  RESULT_VARIABLE FAILED OUTPUT_VARIABLE LOG ERROR_VARIABLE LOG)
if(FAILED)
  file(REMOVE "${OUTPUT}")
  message(WARNING "brainfn: nvcc failed, so the CUDA kernels are left out.\n${LOG}")
endif()
