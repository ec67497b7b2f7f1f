/** Why something was not analysed or failed, by the code that the API gives (docs/errors.md): English, Korean. */
export const REASONS: Readonly<Record<string, readonly [english: string, korean: string]>> = {
  "selection.no_model": ["No active model is meant for these images.", "이 영상에 맞는 사용 중인 모델이 없습니다."],
  "selection.modality": ["No model is made for this modality.", "이 검사 장비에 맞는 모델이 없습니다."],
  "selection.sequence": [
    "It is not the kind of image that the model wants.",
    "모델이 요구하는 종류의 영상이 아닙니다.",
  ],
  "selection.localizer": ["It is a localizer (scout).", "위치 결정용(스카우트) 영상입니다."],
  "selection.derived": ["It is a derived or already analysed image.", "파생되었거나 이미 분석된 영상입니다."],
  "selection.secondary_capture": [
    "It is a screenshot or has text burned in.",
    "화면 갈무리이거나 글자가 새겨진 영상입니다.",
  ],
  "selection.not_an_image": ["It holds no images.", "영상이 없는 객체입니다."],
  "selection.dose_report": ["It is a radiation dose report.", "선량 보고서입니다."],
  "selection.phantom": ["It shows a phantom or a quality check.", "팬텀 또는 품질 관리 영상입니다."],
  "selection.plane": [
    "The slices do not lie in the plane that the model wants.",
    "단면의 방향이 모델이 요구하는 방향과 다릅니다.",
  ],
  "selection.channel_missing": [
    "Another series that the model needs is not in the study.",
    "모델에 필요한 다른 시리즈가 검사에 없습니다.",
  ],
  "selection.channel_awaited": [
    "Another series that the model needs is still awaited.",
    "모델에 필요한 다른 시리즈를 기다리고 있습니다.",
  ],
  "selection.mosaic": ["The volume is tiled into one image (mosaic).", "볼륨이 한 장에 배열된(모자이크) 영상입니다."],
  "selection.too_few_slices": [
    "There are fewer slices than the model needs.",
    "단면 수가 모델에 필요한 수보다 적습니다.",
  ],
  "selection.slice_spacing": [
    "The slices are farther apart than the model allows.",
    "단면 간격이 모델의 허용 범위보다 큽니다.",
  ],
  "series.incomplete": ["Images are missing.", "영상이 누락되었습니다."],
  "series.superseded": ["More images came; a later job answers.", "영상이 더 도착하여 이후 작업이 답합니다."],
  "series.missing_attribute": ["A header lacks something that is needed.", "헤더에 필요한 항목이 없습니다."],
  "series.mixed": ["The series holds objects of several kinds.", "시리즈에 여러 종류의 객체가 섞여 있습니다."],
  "series.invalid_identifier": ["The Patient ID is not usable.", "환자 번호를 사용할 수 없습니다."],
  "geometry.missing": [
    "Position, orientation or pixel spacing is missing.",
    "위치, 방향 또는 화소 간격 정보가 없습니다.",
  ],
  "geometry.mixed_orientation": ["The slices do not lie parallel.", "단면이 서로 평행하지 않습니다."],
  "geometry.mixed_matrix": [
    "The images differ in size or pixel spacing.",
    "영상의 크기나 화소 간격이 서로 다릅니다.",
  ],
  "geometry.repeated_position": ["Several images lie at one position.", "같은 위치에 영상이 여러 장 있습니다."],
  "geometry.gap": ["Slices are missing within the volume.", "볼륨 안에 누락된 단면이 있습니다."],
  "geometry.non_uniform_spacing": ["The distance between slices changes too much.", "단면 간격이 고르지 않습니다."],
  "geometry.multi_frame": ["It does not say where its frames lie.", "다중 프레임의 위치 정보가 없습니다."],
  "geometry.registration": ["Two series could not be laid on each other.", "두 시리즈를 서로 맞출 수 없습니다."],
  "pixel.unsupported_transfer_syntax": [
    "The images are compressed in a way that is not decoded.",
    "지원하지 않는 방식으로 압축된 영상입니다.",
  ],
  "pixel.missing": ["An image has no pixel data.", "화소 데이터가 없는 영상이 있습니다."],
  "pixel.corrupt": ["The pixel data are damaged.", "화소 데이터가 손상되었습니다."],
  "pixel.too_large": ["There are more voxels than the node takes.", "노드가 처리할 수 있는 크기를 넘습니다."],
  "pixel.unsupported_format": [
    "The pixels are not numbers that a model can be given.",
    "모델에 넣을 수 없는 화소 형식입니다.",
  ],
  "result.implausible": [
    "The answer was not plausible and was withheld.",
    "결과가 타당하지 않아 게시하지 않았습니다.",
  ],
  "result.head_not_found": ["No head was found in the images.", "영상에서 머리를 찾지 못했습니다."],
  "result.rejected_before": ["The same answer was rejected by a reader before.", "판독에서 반려된 결과와 같습니다."],
  "configuration.invalid": ["The node is not configured rightly.", "노드 설정이 올바르지 않습니다."],
  "receive.unreadable": ["The object cannot be understood.", "객체를 해석할 수 없습니다."],
  "receive.sop_class_mismatch": ["The object is not what was announced.", "객체가 알려진 종류와 다릅니다."],
  "receive.spool_full": ["There is no room on the disk at the moment.", "지금은 디스크 공간이 없습니다."],
  "model.not_found": ["There is no such model.", "없는 모델입니다."],
  "model.recalled": ["The model was recalled.", "회수된 모델입니다."],
  "model.deployment_refused": [
    "This cannot be done with the model as things stand.",
    "현재 상태의 모델에는 할 수 없습니다.",
  ],
  "model.weights_mismatch": ["The weights are absent or not the right ones.", "가중치가 없거나 다릅니다."],
  "model.contract_violated": ["Manifest and network do not agree.", "명세와 신경망이 일치하지 않습니다."],
  "inference.device_unavailable": [
    "The accelerator cannot be used at the moment.",
    "지금은 가속기를 사용할 수 없습니다.",
  ],
  "inference.out_of_memory": ["The device had too little memory.", "장치의 메모리가 부족했습니다."],
  "inference.non_finite": ["The model's output is not a number.", "모델 출력이 숫자가 아닙니다."],
  "encoding.failed": ["A result object could not be built.", "결과 객체를 만들지 못했습니다."],
  "delivery.peer_unavailable": ["The archive does not answer.", "보관소가 응답하지 않습니다."],
  "delivery.peer_refused": ["The archive said no.", "보관소가 거부했습니다."],
  "delivery.not_committed": [
    "The archive does not show the objects yet.",
    "보관소에서 객체가 아직 확인되지 않습니다.",
  ],
  "report.fhir_unavailable": ["The report server does not answer.", "보고 서버가 응답하지 않습니다."],
  "report.fhir_conflict": ["Somebody else changed the report at the same time.", "보고서가 동시에 변경되었습니다."],
  "report.fhir_rejected": ["The report server refuses the content.", "보고 서버가 내용을 거부했습니다."],
  "report.hl7_unavailable": ["The receiver of HL7 messages does not answer.", "HL7 수신 서버가 응답하지 않습니다."],
  "report.hl7_rejected": [
    "The receiver of HL7 messages refuses the message.",
    "HL7 수신 서버가 메시지를 거부했습니다.",
  ],
  "job.not_found": ["There is no such job.", "없는 작업입니다."],
  "study.not_found": ["There is no such study on this node.", "이 노드에 없는 검사입니다."],
  "job.illegal_transition": ["The job's state does not allow this.", "작업의 현재 상태에서는 할 수 없습니다."],
  "job.lease_lost": ["Another worker has taken the job.", "다른 작업자가 작업을 맡았습니다."],
  "job.cancelled": ["The job was cancelled.", "작업이 취소되었습니다."],
  "job.queue_unavailable": ["The queue takes no message at the moment.", "지금은 대기열을 사용할 수 없습니다."],
  "job.store_unavailable": [
    "The database cannot be used at the moment.",
    "지금은 데이터베이스를 사용할 수 없습니다.",
  ],
  "account.not_found": ["There is no such account.", "없는 계정입니다."],
  "account.exists": ["There is such an account already.", "이미 있는 계정입니다."],
  "account.invalid": ["This is not a valid account or password.", "계정 또는 비밀번호가 규칙에 맞지 않습니다."],
  "account.last_administrator": ["The last administrator has to stay.", "마지막 관리자는 남아 있어야 합니다."],
  "preview.not_found": ["There is no preview of this series.", "이 시리즈는 미리보기가 없습니다."],
  "model.package_refused": ["This is not a model package that can be used.", "사용할 수 없는 모델 패키지입니다."],
  "masterdata.not_found": ["There is no such entry.", "없는 항목입니다."],
  "masterdata.exists": ["There is an entry with this code already.", "같은 코드의 항목이 이미 있습니다."],
  "masterdata.changed": [
    "Somebody else changed the entry meanwhile. Look at it again.",
    "그사이 다른 사람이 항목을 변경했습니다. 다시 확인하세요.",
  ],
  "masterdata.import_refused": ["The file cannot be taken over.", "파일을 가져올 수 없습니다."],
};

/** Give the sentence for a code in a language, or the node's own message where the code is new. */
export function reasonText(code: string, message: string, language: string): string {
  const texts = REASONS[code];
  if (!texts) return message;
  return language.startsWith("ko") ? texts[1] : texts[0];
}
