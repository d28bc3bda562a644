"""The spawner of classic Open Data Hub: OpenShiftSpawner, with the real hooks of jupyterhub-singleuser-profiles.

Its image defines the class in jupyterhub_config.py and sets hooks and volumes as below. Runs in the environment of
KubeSpawner 1.1 (spawn_server.py, and tests/hub/jupyterhub_config.py).
"""

from jupyterhub_singleuser_profiles.profiles import SingleuserProfiles
from kubespawner import KubeSpawner

HOME = "/opt/app-root/src"
TEMPLATE = "jupyterhub-nb-{username}-pvc"


def configured_spawner(config, namespace):
    """Return the class for a hub in a namespace, and configure it as the image of the hub does."""

    class OpenShiftSpawner(KubeSpawner):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            self.single_user_services = []
            self.single_user_profiles = SingleuserProfiles(namespace=namespace)
            self.deployment_size = None

    def set_up_services(spawner):
        profiles = spawner.single_user_profiles
        profiles.load_profiles(username=spawner.user.name)
        profiles.setup_services(spawner, spawner.image, spawner.user.name)

    def apply_profile(spawner, pod):
        profiles, user = spawner.single_user_profiles, spawner.user.name
        profiles.load_profiles(username=user)
        profile = profiles.get_merged_profile(spawner.image, user=user, size=spawner.deployment_size)
        return SingleuserProfiles.apply_pod_profile(user, pod, profile, profiles.gpu_types, HOME)

    config.OpenShiftSpawner.pre_spawn_hook = set_up_services
    config.OpenShiftSpawner.modify_pod_hook = apply_profile
    config.OpenShiftSpawner.storage_pvc_ensure = True
    config.KubeSpawner.storage_capacity = "2Gi"
    config.KubeSpawner.pvc_name_template = TEMPLATE
    config.KubeSpawner.volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": TEMPLATE}}]
    config.KubeSpawner.volume_mounts = [{"name": "data", "mountPath": HOME}]
    return OpenShiftSpawner
