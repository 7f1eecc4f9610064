// Where on the data's way: before it; what can be known of deploy/kubernetes/ without a cluster.
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

namespace fs = std::filesystem;
using ::testing::IsEmpty;
using ::testing::Not;

using Faults = std::vector<std::string>;

// The fields that the objects here may have, with their types, as Kubernetes 1.26 to 1.31 have them. "!" marks
// a field that has to be there, "[]" a list. "quantity" is a number or a string, "map" has strings as values.
const std::map<std::string, std::string>& Schema() {
  static const std::map<std::string, std::string> schema = {
      {"v1 Service", "metadata:Meta! spec:ServiceSpec!"},
      {"v1 PersistentVolumeClaim", "metadata:Meta! spec:ClaimSpec!"},
      {"v1 Pod", "metadata:Meta! spec:PodSpec!"},
      {"apps/v1 StatefulSet", "metadata:Meta! spec:StatefulSetSpec!"},
      {"apps/v1 Deployment", "metadata:Meta! spec:DeploymentSpec!"},
      {"batch/v1 Job", "metadata:Meta! spec:JobSpec!"},
      {"policy/v1 PodDisruptionBudget", "metadata:Meta! spec:DisruptionBudgetSpec!"},
      {"networking.k8s.io/v1 NetworkPolicy", "metadata:Meta! spec:NetworkPolicySpec!"},
      {"Meta", "name:string labels:map annotations:map namespace:string"},
      {"Selector", "matchLabels:map matchExpressions:Expression[]"},
      {"Expression", "key:string! operator:string! values:string[]"},
      {"ServiceSpec", "clusterIP:string publishNotReadyAddresses:bool selector:map! ports:ServicePort[]!"},
      {"ServicePort", "name:string port:int! targetPort:quantity protocol:string"},
      {"ClaimSpec", "accessModes:string[]! resources:Resources! storageClassName:string"},
      {"Resources", "requests:quantities limits:quantities"},
      {"DisruptionBudgetSpec", "maxUnavailable:quantity minAvailable:quantity selector:Selector!"},
      {"StatefulSetSpec",
       "serviceName:string! replicas:int podManagementPolicy:string selector:Selector! template:Template! "
       "volumeClaimTemplates:ClaimTemplate[]"},
      {"ClaimTemplate", "metadata:Meta! spec:ClaimSpec!"},
      {"DeploymentSpec", "replicas:int strategy:Strategy selector:Selector! template:Template!"},
      {"Strategy", "type:string rollingUpdate:RollingUpdate"},
      {"RollingUpdate", "maxUnavailable:quantity maxSurge:quantity"},
      {"JobSpec", "backoffLimit:int podFailurePolicy:FailurePolicy template:Template!"},
      {"FailurePolicy", "rules:FailureRule[]!"},
      {"FailureRule", "action:string! onExitCodes:OnExitCodes onPodConditions:OnCondition[]"},
      {"OnExitCodes", "containerName:string operator:string! values:int[]!"},
      {"OnCondition", "type:string! status:string!"},
      {"Template", "metadata:Meta! spec:PodSpec!"},
      {"PodSpec",
       "restartPolicy:string terminationGracePeriodSeconds:int enableServiceLinks:bool "
       "automountServiceAccountToken:bool securityContext:PodSecurity! containers:Container[]! "
       "volumes:Volume[] topologySpreadConstraints:Spread[]"},
      {"PodSecurity", "runAsNonRoot:bool runAsUser:int runAsGroup:int fsGroup:int seccompProfile:Seccomp"},
      {"Seccomp", "type:string!"},
      {"Spread",
       "maxSkew:int! topologyKey:string! whenUnsatisfiable:string! labelSelector:Selector "
       "matchLabelKeys:string[]"},
      {"Container",
       "name:string! image:string! imagePullPolicy:string args:string[] env:Variable[] envFrom:EnvFrom[] "
       "securityContext:Security! ports:Port[] startupProbe:Probe readinessProbe:Probe livenessProbe:Probe "
       "resources:Resources! volumeMounts:Mount[]"},
      {"Security", "allowPrivilegeEscalation:bool readOnlyRootFilesystem:bool capabilities:Capabilities"},
      {"Capabilities", "drop:string[]"},
      {"Variable", "name:string! value:string valueFrom:ValueFrom"},
      {"ValueFrom", "fieldRef:FieldRef!"},
      {"FieldRef", "fieldPath:string!"},
      {"EnvFrom", "configMapRef:NameRef!"},
      {"NameRef", "name:string!"},
      {"Port", "name:string containerPort:int!"},
      {"Probe",
       "exec:Exec initialDelaySeconds:int periodSeconds:int timeoutSeconds:int failureThreshold:int"},
      {"Exec", "command:string[]!"},
      {"Mount", "name:string! mountPath:string! readOnly:bool"},
      {"Volume", "name:string! persistentVolumeClaim:ClaimVolume emptyDir:EmptyDir secret:SecretVolume"},
      {"SecretVolume", "secretName:string! defaultMode:int"},
      {"ClaimVolume", "claimName:string! readOnly:bool"},
      {"EmptyDir", "medium:string sizeLimit:quantity"},
      {"NetworkPolicySpec",
       "podSelector:Selector! policyTypes:string[]! ingress:IngressRule[] egress:EgressRule[]"},
      {"IngressRule", "from:Peer[] ports:PolicyPort[]"},
      {"EgressRule", "to:Peer[] ports:PolicyPort[]"},
      {"Peer", "podSelector:Selector namespaceSelector:Selector"},
      {"PolicyPort", "protocol:string port:quantity"},
  };
  return schema;
}

// Whether a plain scalar is what the type wants. YAML's quotes make a string of anything.
bool ScalarFits(const YAML::Node& node, const std::string& type) {
  if (!node.IsScalar()) return false;
  int64_t number;
  bool truth;
  const bool quoted = node.Tag() == "!";
  const bool is_int = !quoted && YAML::convert<int64_t>::decode(node, number);
  const bool is_bool = !quoted && YAML::convert<bool>::decode(node, truth);
  if (type == "int") return is_int;
  if (type == "bool") return is_bool;
  if (type == "quantity") return !is_bool;
  return !is_int && !is_bool;
}

void CheckShape(const YAML::Node& node, absl::string_view type_of_node, const std::string& path,
                Faults& faults) {
  const bool is_list = absl::ConsumeSuffix(&type_of_node, "[]");
  const std::string type(type_of_node);
  if (is_list) {
    if (!node.IsSequence()) return faults.push_back(path + " is no list");
    for (size_t i = 0; i < node.size(); ++i)
      CheckShape(node[i], type, absl::StrCat(path, "[", i, "]"), faults);
  } else if (type == "map" || type == "quantities") {
    if (!node.IsMap()) return faults.push_back(path + " is no map");
    for (const auto& entry : node)
      CheckShape(entry.second, type == "map" ? "string" : "quantity", path + "." + entry.first.Scalar(),
                 faults);
  } else if (const auto fields = Schema().find(type); fields == Schema().end()) {
    if (!ScalarFits(node, type))
      faults.push_back(absl::StrCat(path, " is '", YAML::Dump(node), "', want ", type));
  } else {
    if (!node.IsMap()) return faults.push_back(path + " is no object");
    std::map<std::string, std::string> known;
    for (absl::string_view field : absl::StrSplit(fields->second, ' ')) {
      const bool required = absl::ConsumeSuffix(&field, "!");
      const std::vector<std::string> name_and_type = absl::StrSplit(field, ':');
      known[name_and_type[0]] = name_and_type[1];
      if (required && !node[name_and_type[0]]) faults.push_back(path + " lacks " + name_and_type[0]);
    }
    for (const auto& entry : node) {
      const std::string name = entry.first.Scalar();
      if (path.find('.') == std::string::npos && (name == "apiVersion" || name == "kind")) continue;
      if (!known.contains(name)) {
        faults.push_back(path + " has an unknown field " + name);
      } else {
        CheckShape(entry.second, known[name], path + "." + name, faults);
      }
    }
  }
}

struct Object {
  std::string name;  // kind/name
  YAML::Node yaml;
  std::string kind() const { return yaml["kind"].Scalar(); }
  bool HasPods() const { return kind() == "Pod" || yaml["spec"]["template"].IsDefined(); }
  YAML::Node Pod() const { return kind() == "Pod" ? yaml : yaml["spec"]["template"]; }
  std::string Role() const { return Pod()["metadata"]["labels"]["role"].Scalar(); }
};

std::vector<Object> Parse(const std::vector<YAML::Node>& documents) {
  std::vector<Object> objects;
  for (const YAML::Node& yaml : documents)
    objects.push_back({yaml["kind"].Scalar() + "/" + yaml["metadata"]["name"].Scalar(), yaml});
  return objects;
}

std::vector<Object> AllObjects() {
  std::vector<Object> objects;
  for (const auto& file : fs::directory_iterator(fs::path(DOWNPOUR_SOURCE_DIR) / "deploy/kubernetes")) {
    if (file.path().filename() == "kustomization.yaml") continue;
    for (Object& object : Parse(YAML::LoadAllFromFile(file.path().string())))
      objects.push_back(std::move(object));
  }
  return objects;
}

Faults ShapeFaults(const Object& object) {
  Faults faults;
  CheckShape(object.yaml, object.yaml["apiVersion"].Scalar() + " " + object.kind(), object.name, faults);
  return faults;
}

// The node at the end of the path; an undefined one if there is none.
YAML::Node Find(YAML::Node node, const std::vector<std::string>& path) {
  for (const std::string& name : path) {
    if (!node.IsMap() || !node[name]) return YAML::Node(YAML::NodeType::Undefined);
    const YAML::Node next = node[name];
    node.reset(next);
  }
  return node;
}

bool Is(const YAML::Node& node, const std::string& value) {
  return node.IsDefined() && node.IsScalar() && node.Scalar() == value;
}

// What the restricted profile of the Pod Security Standards forbids in a pod, and what is ours: a root file
// system that is read-only, and no token of the API.
Faults ProfileFaults(const Object& object) {
  Faults faults;
  const auto want = [&](bool good, const std::string& what) {
    if (!good) faults.push_back(object.name + ": " + what);
  };
  const YAML::Node spec = object.Pod()["spec"];
  want(Is(Find(spec, {"securityContext", "runAsNonRoot"}), "true"), "runAsNonRoot");
  want(!Is(Find(spec, {"securityContext", "runAsUser"}), "0"), "runAsUser");
  want(Is(Find(spec, {"securityContext", "seccompProfile", "type"}), "RuntimeDefault"), "seccompProfile");
  want(Is(Find(spec, {"automountServiceAccountToken"}), "false"), "automountServiceAccountToken");
  for (const YAML::Node& container : spec["containers"]) {
    const YAML::Node security = Find(container, {"securityContext"});
    const YAML::Node dropped = Find(security, {"capabilities", "drop"});
    want(Is(Find(security, {"allowPrivilegeEscalation"}), "false"), "allowPrivilegeEscalation");
    want(Is(Find(security, {"readOnlyRootFilesystem"}), "true"), "readOnlyRootFilesystem");
    want(dropped.IsDefined() && dropped.size() == 1 && Is(dropped[0], "ALL"), "capabilities");
  }
  return faults;
}

// Memory in MiB: "512Mi" or "2Gi"; 0 for other text.
int Mebibytes(const YAML::Node& node) {
  const std::string text = node.IsDefined() ? node.Scalar() : "";
  return std::atoi(text.c_str()) * (absl::EndsWith(text, "Gi") ? 1024 : absl::EndsWith(text, "Mi") ? 1 : 0);
}

// Every container asks for CPU and memory and has a limit of memory; those that run as long as the run have a
// liveness probe, and those that listen a startup and a readiness probe, too.
Faults ResourceFaults(const Object& object) {
  Faults faults;
  for (const YAML::Node& container : object.Pod()["spec"]["containers"]) {
    const YAML::Node resources = Find(container, {"resources"});
    if (!Find(resources, {"requests", "cpu"})) faults.push_back(object.name + ": no request of CPU");
    const int asked = Mebibytes(Find(resources, {"requests", "memory"}));
    if (asked == 0 || Mebibytes(Find(resources, {"limits", "memory"})) < asked)
      faults.push_back(object.name + ": no request of memory, or a limit below it");
    std::vector<std::string> probes;
    if (object.Role() != "corpus" && object.Role() != "results") probes.push_back("livenessProbe");
    if (container["ports"]) probes.insert(probes.end(), {"startupProbe", "readinessProbe"});
    for (const std::string& probe : probes)
      if (!Find(container, {probe, "exec"})) faults.push_back(object.name + ": no " + probe);
  }
  return faults;
}

bool Selects(const YAML::Node& selector, const YAML::Node& labels) {
  for (const auto& label : selector["matchLabels"])
    if (!Is(labels[label.first.Scalar()], label.second.Scalar())) return false;
  for (const YAML::Node& expression : selector["matchExpressions"]) {
    bool found = false;
    for (const YAML::Node& value : expression["values"])
      found = found || Is(labels[expression["key"].Scalar()], value.Scalar());
    if (!found) return false;
  }
  return true;
}

// Whether a policy lets pods of the role `from` in at the port of pods with the labels `to`.
bool LetsIn(const YAML::Node& policy, const std::string& from, const YAML::Node& to, int port) {
  if (!Selects(policy["spec"]["podSelector"], to)) return false;
  YAML::Node client;
  client["app"] = "downpour";
  client["role"] = from;
  for (const YAML::Node& rule : policy["spec"]["ingress"]) {
    for (const YAML::Node& peer : rule["from"]) {
      for (const YAML::Node& allowed : rule["ports"]) {
        if (Selects(peer["podSelector"], client) && allowed["port"].as<int>() == port) return true;
      }
    }
  }
  return false;
}

TEST(Kubernetes, ObjectsHaveTheShapeOfTheirApi) {
  EXPECT_GE(AllObjects().size(), 18u);
  for (const Object& object : AllObjects()) EXPECT_THAT(ShapeFaults(object), IsEmpty());
}

TEST(Kubernetes, PodsFitTheRestrictedProfile) {
  for (const Object& object : AllObjects()) {
    if (!object.HasPods()) continue;
    EXPECT_THAT(ProfileFaults(object), IsEmpty());
  }
}

TEST(Kubernetes, ContainersHaveLimitsAndProbes) {
  for (const Object& object : AllObjects()) {
    if (!object.HasPods()) continue;
    EXPECT_THAT(ResourceFaults(object), IsEmpty());
  }
}

TEST(Kubernetes, PodsReachOnlyWhatTheyNeed) {
  const std::vector<Object> objects = AllObjects();
  const std::set<std::string> servers = {"coordinator", "shard", "standby"},
                              clients = {"shard", "standby", "worker", "evaluator"};
  for (const Object& object : objects) {
    if (!object.HasPods()) continue;
    const YAML::Node labels = object.Pod()["metadata"]["labels"];
    bool closed = false;  // a policy that allows nothing else
    for (const Object& policy : objects)
      closed =
          closed || (policy.name == "NetworkPolicy/downpour" &&
                     Selects(policy.yaml["spec"]["podSelector"], labels) && !policy.yaml["spec"]["ingress"]);
    EXPECT_TRUE(closed) << object.name;
    for (const char* from : {"coordinator", "shard", "standby", "worker", "evaluator", "corpus"}) {
      const bool wanted = servers.contains(object.Role()) && clients.contains(from);
      bool let_in = false;
      for (const Object& policy : objects)
        let_in = let_in || (policy.kind() == "NetworkPolicy" &&
                            LetsIn(policy.yaml, from, labels, object.Role() == "coordinator" ? 7100 : 7200));
      EXPECT_EQ(let_in, wanted) << from << " to " << object.name;
    }
  }
}

TEST(Kubernetes, NamesReferToSomething) {
  const std::vector<Object> objects = AllObjects();
  std::set<std::string> names, roles, secrets;
  const auto kustomization = YAML::LoadFile(DOWNPOUR_SOURCE_DIR "/deploy/kubernetes/kustomization.yaml");
  for (const YAML::Node& secret : kustomization["secretGenerator"]) secrets.insert(secret["name"].Scalar());
  for (const Object& object : objects) {
    EXPECT_TRUE(names.insert(object.name).second) << "twice: " << object.name;
    if (object.HasPods()) roles.insert(object.Role());
  }
  for (const Object& object : objects) {
    const YAML::Node spec = object.yaml["spec"];
    if (object.kind() == "Service" || object.kind() == "PodDisruptionBudget") {
      const YAML::Node labels = spec["selector"]["matchLabels"];
      EXPECT_TRUE(roles.contains((labels ? labels : spec["selector"])["role"].Scalar())) << object.name;
    }
    if (!object.HasPods()) continue;
    EXPECT_TRUE(!spec["selector"] || Selects(spec["selector"], object.Pod()["metadata"]["labels"]))
        << object.name;
    EXPECT_TRUE(!spec["serviceName"] || names.contains("Service/" + spec["serviceName"].Scalar()))
        << object.name;
    std::set<std::string> volumes;
    for (const YAML::Node& volume : object.Pod()["spec"]["volumes"]) {
      volumes.insert(volume["name"].Scalar());
      if (const YAML::Node claim = volume["persistentVolumeClaim"]) {
        EXPECT_TRUE(names.contains("PersistentVolumeClaim/" + claim["claimName"].Scalar())) << object.name;
      }
      const YAML::Node secret = volume["secret"];
      EXPECT_TRUE(!secret || secrets.contains(secret["secretName"].Scalar())) << object.name;
    }
    for (const YAML::Node& claim : spec["volumeClaimTemplates"])
      volumes.insert(claim["metadata"]["name"].Scalar());
    for (const YAML::Node& container : object.Pod()["spec"]["containers"]) {
      for (const YAML::Node& mount : container["volumeMounts"])
        EXPECT_TRUE(volumes.contains(mount["name"].Scalar())) << object.name << ": " << mount["name"];
      for (const YAML::Node& from : container["envFrom"])
        EXPECT_EQ(from["configMapRef"]["name"].Scalar(), "settings") << "of kustomization.yaml";
    }
  }
}

TEST(Kubernetes, TheKustomizationListsEveryFileButThatOfTheResults) {
  const fs::path folder = fs::path(DOWNPOUR_SOURCE_DIR) / "deploy/kubernetes";
  const YAML::Node kustomization = YAML::LoadFile((folder / "kustomization.yaml").string());
  std::set<std::string> files;
  for (const auto& file : fs::directory_iterator(folder)) files.insert(file.path().filename().string());
  files.erase("kustomization.yaml");
  files.erase("results.yaml");
  EXPECT_THAT(kustomization["resources"].as<std::vector<std::string>>(),
              ::testing::UnorderedElementsAreArray(files));
}

// Tries the rules themselves on objects that break them, by one change of the shards' StatefulSet each.
TEST(Kubernetes, RulesCatchWhatTheyForbid) {
  const auto changed = [](const std::vector<std::string>& path, const YAML::Node& value) {
    for (Object& object : Parse(YAML::LoadAllFromFile(DOWNPOUR_SOURCE_DIR "/deploy/kubernetes/shard.yaml"))) {
      if (object.kind() != "StatefulSet") continue;
      YAML::Node node = object.yaml["spec"];
      for (size_t i = 0; i + 1 < path.size(); ++i) {
        const YAML::Node next = path[i] == "0" ? node[0] : node[path[i]];
        node.reset(next);
      }
      node[path.back()] = value;
      return object;
    }
    return Object();
  };
  const std::vector<std::string> pod = {"template", "spec"},
                                 container = {"template", "spec", "containers", "0"};
  const auto in = [](std::vector<std::string> path, const std::vector<std::string>& more) {
    path.insert(path.end(), more.begin(), more.end());
    return path;
  };
  EXPECT_THAT(ShapeFaults(changed({"replica"}, YAML::Load("2"))), Not(IsEmpty()));
  EXPECT_THAT(ShapeFaults(changed({"replicas"}, YAML::Load("'2'"))), Not(IsEmpty()));
  EXPECT_THAT(ShapeFaults(changed(in(container, {"args"}), YAML::Load("shard"))), Not(IsEmpty()));
  EXPECT_THAT(ShapeFaults(changed(in(container, {"env"}), YAML::Load("[{name: A, value: 1}]"))),
              Not(IsEmpty()));
  EXPECT_THAT(ProfileFaults(changed(in(pod, {"securityContext", "runAsNonRoot"}), YAML::Load("false"))),
              Not(IsEmpty()));
  EXPECT_THAT(ProfileFaults(changed(in(container, {"securityContext"}), YAML::Load("{}"))), Not(IsEmpty()));
  EXPECT_THAT(ResourceFaults(changed(in(container, {"resources", "limits"}), YAML::Load("{memory: 1Mi}"))),
              Not(IsEmpty()));
  EXPECT_THAT(ResourceFaults(changed(in(container, {"livenessProbe"}), YAML::Node())), Not(IsEmpty()));
}

}  // namespace
}  // namespace downpour
