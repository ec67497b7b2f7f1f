-- Sends every image that Orthanc receives to the node, at once and one by one.
--
-- The node is the modality 'NEURONOVA' of Orthanc's configuration; its AE title is read from there.
-- Not sent: what came from the node itself or from this script (that would be a loop), and SEG, SR and KO objects,
-- which are results or notes about images and never input.

local DESTINATION = 'NEURONOVA'
local NEVER_SENT = { SEG = true, SR = true, KO = true }

local function nodeTitle()
  local node = GetOrthancConfiguration()['DicomModalities'][DESTINATION]
  return node['AET'] or node[1]
end

function OnStoredInstance(instanceId, tags, metadata, origin)
  if origin['RequestOrigin'] == 'Lua' or origin['RemoteAet'] == nodeTitle() then
    return
  end
  if NEVER_SENT[tags['Modality']] then
    return
  end
  SendToModality(instanceId, DESTINATION)
end
